"""Making what was done to the file system outlast a power cut."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Write the file, or the names in the folder, through to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make the folder and those above it, durably; only its owner may look inside."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync(path.parent)
