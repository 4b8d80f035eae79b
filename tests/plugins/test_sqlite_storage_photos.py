"""Photos in a folder: durable in the right order, and nothing half written is ever seen."""

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foodlog.errors import ProviderError, StorageFull
from foodlog_plugins.sqlite_storage.photos import INCOMING, PhotoFolder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "new" / "photos"


@pytest.fixture
def photos(root: Path) -> PhotoFolder:
    photos = PhotoFolder(root)
    photos.create()
    return photos


def recorded(monkeypatch: pytest.MonkeyPatch, root: Path) -> list[str]:
    """What is written through or renamed from now on, in order."""
    calls: list[str] = []

    def shown(path: Any) -> str:
        relative = os.path.relpath(path, root)
        return "passing name" if relative.startswith(f"{INCOMING}/") else relative

    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor: int) -> None:
        fsync(descriptor)
        calls.append("sync " + shown(os.readlink(f"/proc/self/fd/{descriptor}")))

    def record_replace(source: Any, target: Any) -> None:
        replace(source, target)
        calls.append(f"rename {shown(source)} to {shown(target)}")

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    return calls


def test_a_photo_is_on_the_disk_before_it_has_its_name(
    photos: PhotoFolder, root: Path, monkeypatch: pytest.MonkeyPatch
):
    calls = recorded(monkeypatch, root)
    photos.put("ann/1.jpg", b"photo", "image/jpeg")
    assert calls == [
        "sync passing name",
        "rename passing name to ann/1.jpg",
        "sync ann",
        "sync .",
    ]
    calls.clear()
    photos.put("1.jpg", b"photo", "image/jpeg")
    assert calls == ["sync passing name", "rename passing name to 1.jpg", "sync ."]
    calls.clear()
    photos.delete("ann/1.jpg")
    assert calls == ["sync ann"]


def test_new_folders_are_durable(root: Path, monkeypatch: pytest.MonkeyPatch):
    calls = recorded(monkeypatch, root)
    PhotoFolder(root).create()
    assert calls == ["sync ../..", "sync ..", "sync ."]


def test_a_full_disk_is_reported_and_leaves_nothing(
    photos: PhotoFolder, root: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageFull, match=r"no room left for .*photos; make room"):
            photos.put("ann/1.jpg", b"photo", "image/jpeg")
    assert photos.get("ann/1.jpg") is None
    assert list((root / INCOMING).iterdir()) == []
    photos.put("ann/1.jpg", b"photo", "image/jpeg")


def test_a_key_that_is_a_folder_is_refused_and_leaves_nothing(photos: PhotoFolder, root: Path):
    photos.put("ann/1.jpg", b"photo", "image/jpeg")
    photos.delete("ann")
    with pytest.raises(ProviderError, match="cannot be used: Is a directory"):
        photos.put("ann", b"photo", "image/jpeg")
    assert list((root / INCOMING).iterdir()) == []
    assert [photo.key for photo in photos.list()] == ["ann/1.jpg"]


def test_only_photos_are_listed(photos: PhotoFolder, root: Path):
    photos.put("ann/1.jpg", b"photo", "image/jpeg")
    (root / INCOMING / "half").write_bytes(b"half")
    (root / ".DS_Store").touch()
    (root / "ann" / ".hidden").touch()
    (root / "ann" / "folder").mkdir()
    assert [photo.key for photo in photos.list()] == ["ann/1.jpg"]
    assert list(photos.list(INCOMING)) == list(photos.list(INCOMING + "/")) == []


def test_a_photo_that_goes_while_it_is_listed_is_left_out(photos: PhotoFolder):
    for number in range(5):
        photos.put(f"ann/{number}.jpg", b"photo", "image/jpeg")
    listing = photos.list()
    first = next(listing).key
    for number in range(5):
        photos.delete(f"ann/{number}.jpg")
    assert first.startswith("ann/")
    assert list(listing) == []


def test_what_a_crash_left_half_written_is_swept_after_an_hour(photos: PhotoFolder, root: Path):
    now = datetime(2024, 5, 17, tzinfo=UTC)
    for name, minutes in (("old", 61), ("young", 59)):
        file = root / INCOMING / name
        file.touch()
        written = (now - timedelta(minutes=minutes)).timestamp()
        os.utime(file, (written, written))
    photos.sweep(now)
    assert [path.name for path in (root / INCOMING).iterdir()] == ["young"]


@pytest.mark.parametrize(
    ("key", "content_type"),
    [("1.JPEG", "image/jpeg"), ("1.gif", "image/gif"), ("1", "application/octet-stream")],
)
def test_the_type_of_an_old_photo_comes_from_its_name(
    photos: PhotoFolder, root: Path, key: str, content_type: str
):
    (root / key).write_bytes(b"photo")
    assert photos.get(key) == (b"photo", content_type)


def test_a_bad_key_is_the_callers_error(photos: PhotoFolder):
    with pytest.raises(ValueError, match="not a photo key"):
        photos.put("../1.jpg", b"photo", "image/jpeg")
    assert photos.url("ann/1.jpg") is None
