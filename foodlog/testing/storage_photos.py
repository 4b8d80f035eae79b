"""The part of the storage suite that is about photos."""

from datetime import UTC, datetime, timedelta

import pytest

from foodlog.errors import ProviderError
from foodlog.providers import PhotoStore, Storage
from foodlog.testing.rules import refused, rules
from foodlog.testing.storage_meals import assert_utc, race

EVERY_BYTE = bytes(range(256)) * 1000
HOSTILE_KEYS = (
    "",
    ".",
    "..",
    "/etc/passwd",
    "../outside.jpg",
    "ann/../../outside.jpg",
    "ann/..",
    "ann/",
    "/ann.jpg",
    "ann//1.jpg",
    "ann\\..\\1.jpg",
    "ann/1.jpg\0.png",
    ".hidden.jpg",
    "ann/.hidden.jpg",
    "ann/1/2/3.jpg",
    "ann/" + "x" * 2000 + ".jpg",
    "ann/\ud800.jpg",
)


def keys(store: PhotoStore, prefix: str = "") -> list[str]:
    """What list() yields, in order."""
    return sorted(photo.key for photo in store.list(prefix))


@rules
class PhotoStoreTests:
    """Every rule of :class:`foodlog.providers.PhotoStore`."""

    photos_to_list: int = 1001
    """How many photos there are at most: more than S3 lists at once; lower it where a write is
    slow."""

    @pytest.mark.parametrize(
        ("key", "content_type"),
        [
            ("ann/1.jpg", "image/jpeg"),
            ("ann/1.png", "image/png"),
            ("ann/1.webp", "image/webp"),
            ("0123456789abcdef.jpg", "image/jpeg"),
        ],
    )
    def test_a_photo_comes_back_as_it_was_stored(
        self, provider: Storage, key: str, content_type: str
    ) -> None:
        """get() returns the very bytes and their type; also for the bare keys of old photos."""
        provider.photos.put(key, EVERY_BYTE, content_type)
        assert provider.photos.get(key) == (EVERY_BYTE, content_type), "bytes and type are kept"

    def test_a_photo_that_is_not_there_is_none(self, provider: Storage) -> None:
        """get() of an unknown key answers None, and does not raise."""
        provider.photos.put("ann/1.jpg", b"photo", "image/jpeg")
        for unknown in ("ann/2.jpg", "bob/1.jpg", "1.jpg", "ann", "ann/1.jpg/2.jpg"):
            assert provider.photos.get(unknown) is None, f"there is no photo {unknown!r}"

    def test_the_same_key_replaces_the_photo(self, provider: Storage) -> None:
        """put() may be repeated: the last photo counts, and there is one."""
        for data in (b"first" * 1000, b"second"):
            provider.photos.put("ann/1.jpg", data, "image/jpeg")
        assert provider.photos.get("ann/1.jpg") == (b"second", "image/jpeg"), "the last one counts"
        assert keys(provider.photos) == ["ann/1.jpg"], "and it is one photo"

    def test_deleting_a_photo_twice_is_deleting_it_once(self, provider: Storage) -> None:
        """delete() of what is gone does nothing, so that it is safe to repeat."""
        for key in ("ann/1.jpg", "ann/2.jpg"):
            provider.photos.put(key, b"photo", "image/jpeg")
        for _ in range(2):
            provider.photos.delete("ann/1.jpg")
        provider.photos.delete("nobody/1.jpg")
        assert provider.photos.get("ann/1.jpg") is None, "a deleted photo is gone"
        assert keys(provider.photos) == ["ann/2.jpg"], "and no other photo with it"

    def test_list_finds_by_prefix(self, provider: Storage) -> None:
        """list() yields every photo whose key starts with the prefix, and no other."""
        stored = ["ann/1.jpg", "ann/12.png", "ann2/1.jpg", "bob/1.jpg", "old.jpg"]
        for key in stored:
            provider.photos.put(key, b"photo", "image/jpeg")
        for prefix in ("", "a", "ann", "ann/", "ann/1", "ann/12", "o", "old.jpg", "zoe/", "ANN/"):
            expected = sorted(key for key in stored if key.startswith(prefix))
            assert keys(provider.photos, prefix) == expected, f"the photos under {prefix!r}"

    def test_list_tells_size_and_time(self, provider: Storage) -> None:
        """Size in bytes and a time with its zone: sweeping goes by them."""
        provider.photos.put("ann/1.jpg", b"12345", "image/jpeg")
        (photo,) = provider.photos.list()
        assert photo.size == 5, "the size is in bytes"
        assert_utc(photo.modified_at, "`modified_at` of a photo")
        age = datetime.now(UTC) - photo.modified_at
        assert abs(age) < timedelta(minutes=10), "modified_at is about now, in UTC"

    def test_list_sees_every_photo(self, provider: Storage) -> None:
        """list() yields every photo once, whatever the number: what it leaves out is never copied
        or swept away."""
        stored = [f"ann/{number:04}.jpg" for number in range(self.photos_to_list)]
        for key in stored:
            provider.photos.put(key, b"photo", "image/jpeg")
        found = keys(provider.photos)
        assert found == stored, (
            f"of {len(stored)} photos list() yields {len(found)}: it must yield every one once, "
            "for copying and sweeping go by it"
        )

    @pytest.mark.parametrize("key", HOSTILE_KEYS, ids=ascii)
    def test_a_hostile_key_reaches_nothing(self, provider: Storage, key: str) -> None:
        """A key that might lead out of the store is no key: not found, and refused by put()."""
        provider.photos.put("ann/1.jpg", b"photo", "image/jpeg")
        assert provider.photos.get(key) is None, "get() of a bad key finds nothing"
        provider.photos.delete(key)
        otherwise = (
            f"put() took the key {key!r:.40}: a key that might lead out of the store must be "
            "refused with ValueError or ProviderError, for it reads or overwrites what is not its"
        )
        with refused(ValueError, ProviderError, otherwise=otherwise):
            provider.photos.put(key, b"evil", "image/jpeg")
        assert keys(provider.photos) == ["ann/1.jpg"], "a bad key changes nothing"

    def test_a_url_is_absolute_or_none(self, provider: Storage) -> None:
        """url() gives a client an absolute URL, or None where the app serves the photo."""
        provider.photos.put("ann/1.jpg", b"photo", "image/jpeg")
        url = provider.photos.url("ann/1.jpg")
        assert url is None or url.startswith(("https://", "http://")), "absolute, or None"

    def test_many_threads_lose_no_photo(self, provider: Storage) -> None:
        """Photos stored by several threads at once are all kept, whole."""

        def put(number: int) -> None:
            provider.photos.put(f"ann/{number}.jpg", bytes([number]) * 50_000, "image/jpeg")

        race(put)
        for number in range(8):
            stored = provider.photos.get(f"ann/{number}.jpg")
            assert stored == (bytes([number]) * 50_000, "image/jpeg"), "each photo is whole"
