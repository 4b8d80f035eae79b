"""``sqlite_storage``: meals and users in one SQLite file, photos in a folder.

Durable once a method returned; several worker processes may share file and folder. The file and
the uploads folder of the Flask service are taken over as they are.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from marshmallow import Schema

import foodlog
from foodlog.errors import ProviderError
from foodlog.options import FilePath, Seconds
from foodlog.providers import Context, Storage
from foodlog_plugins.sqlite_storage.database import Database
from foodlog_plugins.sqlite_storage.meals import MealTable
from foodlog_plugins.sqlite_storage.photos import PhotoFolder
from foodlog_plugins.sqlite_storage.schema import upgrade
from foodlog_plugins.sqlite_storage.users import UserTable

BUSY_TIMEOUT = 5.0
"""Seconds a call waits for other writers, unless the options say otherwise."""


class SqliteStorage(Storage):
    """Keeps everything on the local disk."""

    name = "sqlite_storage"
    photos: PhotoFolder

    class Options(Schema):
        """Where things are kept."""

        database = FilePath(
            required=True,
            metadata={
                "help": "The SQLite file with meals and users, on a local disk; made where it is"
                " missing. The Flask service's file is upgraded, after a copy is kept beside it."
            },
        )
        photos = FilePath(
            required=True, metadata={"help": "The folder with the photos; made where missing."}
        )
        busy_timeout = Seconds(
            maximum=60,
            load_default=BUSY_TIMEOUT,
            metadata={"help": "How long a call waits for other writers before it fails."},
        )

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        super().__init__(options, context)
        timeout = float(options.get("busy_timeout", BUSY_TIMEOUT))
        self._database = _open_database(Path(options["database"]).absolute(), timeout)
        self.meals = MealTable(self._database)
        self.users = UserTable(self._database)
        try:
            self.photos = _open_photos(Path(options["photos"]).absolute(), context)
        except ProviderError:
            self._database.close()
            raise

    def check(self) -> None:
        """Both tables can be read, and photos written."""
        with self._database.read() as connection:
            connection.execute("SELECT 1 FROM food_history LIMIT 1").fetchone()
            connection.execute("SELECT 1 FROM users LIMIT 1").fetchone()
        self.photos.check()

    def close(self) -> None:
        """Close the connections of all threads."""
        self._database.close()


def _open_database(path: Path, busy_timeout: float) -> Database:
    database = Database(path, busy_timeout)
    try:
        database.create()
        upgrade(path)
        with database.read():
            pass
    except ProviderError as error:
        database.close()
        raise type(error)(f"storage.options.database: {error}", permanent=True) from error
    return database


def _open_photos(path: Path, context: Context) -> PhotoFolder:
    photos = PhotoFolder(path)
    try:
        photos.create()
        photos.check()
        photos.sweep(context.clock())
    except ProviderError as error:
        raise type(error)(f"storage.options.photos: {error}", permanent=True) from error
    return photos


@foodlog.hookimpl
def foodlog_storages() -> Iterable[type[Storage]]:
    """The storage this plugin offers."""
    return [SqliteStorage]
