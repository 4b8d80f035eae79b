"""Photos: bytes from anywhere → a verified photo with its EXIF facts and a clean copy."""

from foodlog.photos.photo import Photo, PhotoLimits, verify

__all__ = ["Photo", "PhotoLimits", "verify"]
