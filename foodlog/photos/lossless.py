"""Turning a JPEG without decoding it, where the system has libjpeg-turbo's TurboJPEG library.

Faster than decoding and encoding again, and nothing of the picture is lost. The interface is that
of TurboJPEG 2, which version 3 still has (``turbojpeg.h``, "TurboJPEG Legacy API").
"""

import ctypes
from functools import cache

LIBRARY = "libturbojpeg.so.0"
"""The shared library; Debian's package of it is ``libturbojpeg0``."""

MAX_PIXELS = 26_000_000
"""The largest photo to turn so: it takes 6 bytes a pixel where colour has half the resolution
both ways, and up to 16 where it has all of it and black beside; decoding takes 4."""

_OPERATIONS = {2: 1, 3: 6, 4: 2, 5: 3, 6: 5, 7: 4, 8: 7}
"""``TJXOP`` by orientation."""
_PERFECT = 1
"""``TJXOPT``: fail where blocks at an edge are not full, as they could not be turned."""


class _Transform(ctypes.Structure):
    """``tjtransform``."""

    _fields_ = (
        ("region", ctypes.c_int * 4),
        ("operation", ctypes.c_int),
        ("options", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("filter", ctypes.c_void_p),
    )


def turned(data: bytes, orientation: int) -> bytes | None:
    """The JPEG turned as its ``orientation`` (2 to 8) says; its colour profile is kept.

    None where nothing but decoding it helps: the library is missing, a side does not consist of
    whole blocks and would have to be turned into the first row or column, or there is damage.
    """
    turbojpeg = library()
    if turbojpeg is None:
        return None
    transform = _Transform(operation=_OPERATIONS[orientation], options=_PERFECT)
    result, size = ctypes.c_void_p(), ctypes.c_ulong()
    handle = turbojpeg.tjInitTransform()
    try:
        source = (handle, data, len(data))
        target = (1, ctypes.byref(result), ctypes.byref(size), ctypes.byref(transform))
        failed = turbojpeg.tjTransform(*source, *target, 0)
        return None if failed else ctypes.string_at(result, size.value)
    finally:
        turbojpeg.tjFree(result)
        turbojpeg.tjDestroy(handle)


@cache
def library() -> ctypes.CDLL | None:
    """The library, loaded when first asked for; None where the system does not have it."""
    try:
        turbojpeg = ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_ulong
    turbojpeg.tjInitTransform.restype = pointer
    turbojpeg.tjTransform.argtypes = (
        *(pointer, ctypes.c_char_p, size, ctypes.c_int),
        *(ctypes.POINTER(pointer), ctypes.POINTER(size)),
        *(ctypes.POINTER(_Transform), ctypes.c_int),
    )
    turbojpeg.tjFree.argtypes, turbojpeg.tjFree.restype = (pointer,), None
    turbojpeg.tjDestroy.argtypes = (pointer,)
    return turbojpeg
