"""One SQLite file, used by several threads of several processes.

Write-ahead log with ``synchronous=FULL``: a commit that returned survives a power cut, and readers
never wait. Each thread keeps a connection of its own, since opening one costs many queries.
"""

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foodlog.errors import ProviderError
from foodlog_plugins.sqlite_storage.faults import locked, named_faults
from foodlog_plugins.sqlite_storage.files import make_folder

LOG_LIMIT = 64 * 1024 * 1024
"""Bytes the write-ahead log is cut back to after it had to grow."""


class Database:
    """The connections to one file. Thread-safe."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        """``busy_timeout``: seconds a call waits for other writers."""
        self.path = path
        self._busy_timeout = busy_timeout
        self._own = threading.local()
        self._open: dict[threading.Thread, sqlite3.Connection] = {}
        self._opening = threading.Lock()
        # Writers that wait in SQLite poll and starve each other; here they queue.
        self._writing = threading.Lock()
        self._revision = 0
        self._counting = threading.Lock()

    def create(self) -> None:
        """Make the file, readable by its owner only, where it is missing."""
        with named_faults(self.path):
            make_folder(self.path.parent)
            # Never opened where it exists: closing it would drop the locks SQLite holds on it.
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            if not os.access(self.path, os.W_OK, effective_ids=True):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection; each statement sees what is committed when it starts."""
        with named_faults(self.path):
            yield self._connection()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection in a transaction; durable once the block is left."""
        if not self._writing.acquire(timeout=self._busy_timeout):
            raise locked(self.path, self._busy_timeout)
        try:
            with self.read() as connection, transaction(connection):
                yield connection
        finally:
            self._count()
            self._writing.release()

    def revision(self) -> int:
        """A number that grows with every commit of anybody, in whichever process.

        What was read after it was asked for is still true while it is the same.
        """
        with self.read() as connection:
            # It sees the commits of all others, not its own: those are counted where they are made.
            (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version != getattr(self._own, "version", None):
            self._own.version = version
            self._count()
        return self._revision

    def close(self) -> None:
        """Close the connections of all threads, but for other threads that live: closing one under
        a query that runs would end the process, and all are closed with it anyway."""
        with self._opening:
            own = self._open.pop(threading.current_thread(), None)
            if own is not None:
                own.close()
            self._close_abandoned()

    def _count(self) -> None:
        with self._counting:
            self._revision += 1

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = connect(self.path, self._busy_timeout)
            with self._opening:
                self._close_abandoned()
                self._open[threading.current_thread()] = connection
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT}")
            self._own.connection = connection
        return connection

    def _close_abandoned(self) -> None:
        for thread in [thread for thread in self._open if not thread.is_alive()]:
            self._open.pop(thread).close()


def connect(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """A connection to a file that exists, without any implicit transaction."""
    return sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,  # another thread closes it
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit the block's writes all at once, or none of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def use_write_ahead_log(connection: sqlite3.Connection, path: Path, patience: float) -> None:
    """Switch the file to a write-ahead log for good.

    Where waiting for others might be a deadlock SQLite refuses at once; so it is asked again
    for ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise ProviderError(
            f"{path} cannot have a write-ahead log there (its journal mode stays {mode}); keep it"
            " on a local disk."
        )
