"""What SQLite and the file system raise, as the errors of the storage port."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foodlog.errors import ProviderError, StorageFull

RETRY_AFTER = 1.0
"""Seconds after which a locked database is worth another try."""


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Raise every failure of the block as a :class:`ProviderError` that names ``path``."""
    try:
        yield
    except sqlite3.Error as error:
        raise _database_fault(path, error) from error
    except OSError as error:
        raise _file_fault(path, error) from error


def locked(path: Path, seconds: float) -> ProviderError:
    """The error for a database that others kept locked for so long."""
    return ProviderError(
        f"{path} stayed locked by other writers for {seconds:g} s; end what holds it (a backup,"
        " a shell) or raise busy_timeout.",
        retry_after=RETRY_AFTER,
    )


def _database_fault(path: Path, error: sqlite3.Error) -> ProviderError:
    # The low byte is the primary code: https://www.sqlite.org/rescode.html
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageFull(f"The disk has no room left for {path}; make room.")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ProviderError(
            f"{path} is locked by another process; end what holds it (a backup, a shell) or"
            " raise busy_timeout.",
            retry_after=RETRY_AFTER,
        )
    if code == sqlite3.SQLITE_NOTADB:
        return ProviderError(f"{path} is not an SQLite database; name another file.")
    if code == sqlite3.SQLITE_CANTOPEN and path.is_dir():
        return ProviderError(f"{path} is a folder; name a file.")
    remedy = _REMEDIES.get(code, "restore a backup of it, or name another file")
    return ProviderError(f"{path} cannot be used: {error}; {remedy}.")


_WRITABLE = "let the server's user write the file and its folder, or name another place"
_REMEDIES = {
    sqlite3.SQLITE_READONLY: _WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _WRITABLE,
    sqlite3.SQLITE_IOERR: "check the disk and the system's log",
}


def _file_fault(path: Path, error: OSError) -> ProviderError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"The disk has no room left for {path}; make room.")
    return ProviderError(
        f"{path} cannot be used: {error.strerror}; let the server's user write there, or name"
        " another place."
    )
