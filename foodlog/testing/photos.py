"""Photos made by code, for tests and for plugin authors."""

from io import BytesIO


def jpeg(width: int = 64, height: int = 48) -> bytes:
    """A small JPEG."""
    from PIL import Image

    out = BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(out, "JPEG")
    return out.getvalue()
