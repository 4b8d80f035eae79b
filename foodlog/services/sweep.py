"""Photos of meals that no row speaks of: what a crash between photo and row leaves behind."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from foodlog.models import StoredPhoto
from foodlog.providers import Storage
from foodlog.records import photo_key_of

OLDEST_IN_USE = timedelta(hours=1)
"""A photo younger than this may belong to a row that is just being written."""
_MEAL_PHOTO = re.compile(r"([^/]+/)?[0-9a-f]{32}(-[0-9a-f]+)?\.[a-z0-9]+")
"""``<user id>/<row id>-<attempt>.<extension>``, and the bare names of the Flask service. Uploads
without an idempotency key (``<user id>/upload-...``) have no row and are no orphans; neither is
anything else."""


def find_orphans(storage: Storage, now: datetime) -> list[StoredPhoto]:
    """Photos of meals that are older than an hour and in no row.

    Photos are listed before rows are read, so a row written meanwhile is seen. A row of the Flask
    service names its photo by a URL, of which only the file's name is sure to be the key's.
    """
    found = [
        photo
        for photo in storage.photos.list()
        if now - photo.modified_at > OLDEST_IN_USE and _MEAL_PHOTO.fullmatch(photo.key)
    ]
    keys: set[str | None] = set()
    names: set[str | None] = set()
    for meal in storage.meals.scan():
        keys.add(meal.photo_key)
        names.add(photo_key_of(meal.image_url))
    orphans = (p for p in found if p.key not in keys and _name(p.key) not in names)
    return sorted(orphans, key=lambda photo: photo.key)


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def delete_orphans(storage: Storage, orphans: Sequence[StoredPhoto]) -> Iterator[StoredPhoto]:
    """Delete them one after the other; those written again since they were found are kept."""
    for orphan in orphans:
        if orphan in storage.photos.list(orphan.key):
            storage.photos.delete(orphan.key)
            yield orphan
