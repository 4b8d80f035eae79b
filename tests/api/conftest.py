"""The application with the embedded default, and photos to post."""

import pytest

from foodlog.testing import photos
from foodlog.testing.client import Client, embedded


@pytest.fixture
def client(tmp_path):
    """Open, with a user of its own."""
    with Client(embedded(tmp_path)) as client:
        client.new_user()
        yield client


@pytest.fixture(scope="session")
def photo():
    """A small JPEG."""
    return photos.jpeg(64, 48)


@pytest.fixture(scope="session")
def other_photo():
    return photos.jpeg(80, 60)


@pytest.fixture
def stored_files(tmp_path):
    """A function that lists the photos on disk."""

    def files():
        return sorted(p for p in (tmp_path / "uploads").rglob("*") if p.is_file())

    return files
