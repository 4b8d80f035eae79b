"""The signing key of an installation that was given none: made once, kept in a file."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from foodlog.errors import ConfigError

MIN_BYTES = 32
"""Shortest key for HS256 (RFC 7518, section 3.2): as long as the digest."""


def signing_key(path: Path) -> str:
    """The key in ``path``; where there is no such file, a new one is made (mode 0600).

    However many processes do this at once, all get the same key. Raises
    :class:`foodlog.errors.ConfigError`.
    """
    with _named_faults(path):
        if not path.exists():
            _create(path)
        return _read(path)


def check(path: Path) -> None:
    """Raise :class:`foodlog.errors.ConfigError` where :func:`signing_key` would; make nothing."""
    with _named_faults(path):
        if os.path.lexists(path):
            _read(path)
        else:
            folder = next(parent for parent in path.absolute().parents if parent.exists())
            with TemporaryFile(dir=folder):
                pass


@contextmanager
def _named_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it holds no text"
        raise ConfigError(
            f"auth.secret_file: {path} cannot be used: {reason}. Make it readable and its folder "
            "writable, or set JWT_SECRET_KEY."
        ) from error


def _read(path: Path) -> str:
    key = path.read_text(encoding="ascii").strip()
    if len(key) < MIN_BYTES:
        raise ConfigError(
            f"auth.secret_file: {path} holds fewer than {MIN_BYTES} bytes. Remove it to have a "
            "new key made (everybody has to log in again), or set JWT_SECRET_KEY."
        )
    return key


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link fails where the file exists; a rename would replace what another worker uses.
        os.link(mine, path)
    except FileExistsError:
        pass
    finally:
        mine.unlink()
