"""Photos: one file each, at its key under a folder."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile

from foodlog.models import StoredPhoto
from foodlog.providers import PhotoStore
from foodlog.records import is_photo_key
from foodlog_plugins.sqlite_storage.faults import named_faults
from foodlog_plugins.sqlite_storage.files import make_folder, sync

INCOMING = ".incoming"
"""The folder in which photos are written before they get their name."""
ABANDONED_AFTER = timedelta(hours=1)
"""Age at which what lies in there was left by a crash."""

CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".heic": "image/heic",
}
_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class PhotoFolder(PhotoStore):
    """Photos in a folder, with a folder per user below it. Durable once a method returned."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / INCOMING

    def create(self) -> None:
        """Make the folder where it is missing."""
        with named_faults(self._root):
            make_folder(self._incoming)

    def check(self) -> None:
        """Raise :class:`foodlog.errors.ProviderError` where nothing can be written."""
        # A user's folder is made in the one, and photos are written in the other.
        for folder in (self._root, self._incoming):
            with named_faults(folder), TemporaryFile(dir=folder):
                pass

    def sweep(self, now: datetime) -> None:
        """Remove what a crash left half written."""
        with named_faults(self._root):
            for entry in _entries(self._incoming):
                if now - _modified(entry) > ABANDONED_AFTER:
                    Path(entry).unlink(missing_ok=True)

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store durably. The type is kept in the key's extension. ValueError: a bad key."""
        path = self._path(key)
        if path is None:
            raise ValueError("not a photo key")
        with named_faults(self._root):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            incoming = self._write(data)
            try:
                os.replace(incoming, path)
            except OSError:
                incoming.unlink()
                raise
            # The root too, always: another thread may have made the user's folder just now.
            for folder in dict.fromkeys((path.parent, self._root)):
                sync(folder)

    def get(self, key: str) -> tuple[bytes, str] | None:  # noqa: D102 - the port says it
        path = self._path(key)
        if path is None:
            return None
        with named_faults(self._root), suppress(*_MISSING):
            data = path.read_bytes()
            return data, CONTENT_TYPES.get(path.suffix.lower(), "application/octet-stream")
        return None

    def delete(self, key: str) -> None:  # noqa: D102
        path = self._path(key)
        if path is not None:
            with named_faults(self._root), suppress(*_MISSING):
                path.unlink()
                sync(path.parent)

    def url(self, key: str) -> str | None:
        """None: the app serves the photo."""
        return None

    def list(self, prefix: str = "") -> Iterator[StoredPhoto]:  # noqa: D102
        with named_faults(self._root):
            for key, entry in self._files(prefix):
                if key.startswith(prefix) and self._path(key) and entry.is_file():
                    with suppress(FileNotFoundError):  # deleted meanwhile
                        yield StoredPhoto(
                            key=key, size=entry.stat().st_size, modified_at=_modified(entry)
                        )

    def _files(self, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Key and file of at least those whose key starts with ``prefix``."""
        folder, slash, _ = prefix.partition("/")
        folders: Iterable[str] = [folder]
        if not slash:
            found = list(_entries(self._root))
            yield from ((entry.name, entry) for entry in found)
            folders = (entry.name for entry in found if entry.name.startswith(prefix))
        for folder in folders:
            if self._path(folder):
                for entry in _entries(self._root / folder):
                    yield f"{folder}/{entry.name}", entry

    def _write(self, data: bytes) -> Path:
        """A new file under a passing name, its bytes on the disk."""
        with NamedTemporaryFile(dir=self._incoming, delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.unlink(file.name)
                raise
        return Path(file.name)

    def _path(self, key: str) -> Path | None:
        """The photo's file; None for a key that is none: it might lead out of the folder."""
        return self._root.joinpath(*key.split("/")) if is_photo_key(key) else None


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(*_MISSING), os.scandir(folder) as entries:
        yield from entries


def _modified(entry: os.DirEntry[str]) -> datetime:
    return datetime.fromtimestamp(entry.stat().st_mtime, UTC)
