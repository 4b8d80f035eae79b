"""Which characters no name holds."""

import unicodedata

_CONTROLS = ("Cc", "Cs", "Zl", "Zp")


def controls(text: str) -> set[str]:
    """The control characters, line breaks and lone surrogates in ``text``.

    Fewer than :meth:`str.isprintable` finds: spaces of other scripts, joiners within words and
    emoji, and characters newer than this Python's tables are what keyboards write.
    """
    return {char for char in set(text) if unicodedata.category(char) in _CONTROLS}
