"""Photos: bytes from anywhere become a verified photo, its EXIF facts and a clean copy.

``jpeg``, ``png``, ``webp``, ``gif`` and ``heic`` take files apart without decoding; only what
they leave, pixels and colour profile, is ever shown to Pillow (``pixels``). So no metadata, however
hostile, reaches it, and none can slip into a copy. Importing this package does not import Pillow.
"""

from foodlog.photos.photo import Photo, PhotoLimits, verify

__all__ = ["Photo", "PhotoLimits", "verify"]
