"""Fields for settings: what an ``Options`` schema needs beside marshmallow's own fields.

Settings come from YAML or, through ``${…}``, as text from the environment: every field here takes
both. Each says in ``allowed`` what it accepts, for error messages and the reference. Give every
field ``metadata={"help": "…"}``. Unless the option is text, an empty one counts as not given.
"""

import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields

MASK = "********"


class Secret:
    """A text that is only ever shown by :meth:`reveal`; false where it is empty."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return MASK if self._text else "''"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be pickled")


class SecretField(fields.Field[Secret]):
    """A secret; loaded as a :class:`Secret`, an empty one where it is not given."""

    allowed = "text without control characters or spaces around it"

    def __init__(self, **kwargs: Any) -> None:
        if not kwargs.get("required"):
            kwargs.setdefault("load_default", Secret())
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Secret:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise ValidationError("not text; put quotes around it")
        if value != value.strip() or not value.isprintable():
            raise ValidationError("there are control characters in it, or spaces around it")
        return Secret(value)


class Number(fields.Field[float]):
    """A finite number from ``minimum`` to ``maximum``, both included."""

    unit = "a number"

    def __init__(self, minimum: float, maximum: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum, self.maximum = minimum, maximum

    @property
    def allowed(self) -> str:
        """What is accepted, in words."""
        return f"{self.unit} from {self.minimum:g} to {self.maximum:g}"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        number = self._parse(value)
        if not self.minimum <= number <= self.maximum:
            raise ValidationError("out of range")
        return number

    def _parse(self, value: Any) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise ValidationError(f"not {self.unit}")
        return number


class Seconds(Number):
    """A duration in seconds, above 0."""

    unit = "a number of seconds"

    def __init__(self, maximum: float = 300, minimum: float = 0.001, **kwargs: Any) -> None:
        super().__init__(minimum, maximum, **kwargs)


class Share(Number):
    """A share from 0 to 1; above 1 it is a percentage."""

    unit = "a share"
    allowed = "a share from 0 to 1, or a percentage above 1 and up to 100"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(0, 100, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        number = super()._deserialize(value, attr, data, **kwargs)
        return number / 100 if number > 1 else number


class Whole(fields.Field[int]):
    """A whole number from ``minimum`` to ``maximum``, both included."""

    def __init__(self, minimum: int, maximum: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum, self.maximum = minimum, maximum

    @property
    def allowed(self) -> str:
        """What is accepted, in words."""
        return f"a whole number from {self.minimum} to {self.maximum}"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        number = self._parse(value)
        if not self.minimum <= number <= self.maximum:
            raise ValidationError("out of range")
        return number

    def _parse(self, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,300}\s*", value):
            return int(value)
        raise ValidationError("not a whole number")


class Size(Whole):
    """A number of bytes: ``65536``, ``64 KiB``, ``10 MiB``."""

    _FACTORS = {"": 1, "kib": 1024, "mib": 1024**2}  # noqa: RUF012 - never changed

    @property
    def allowed(self) -> str:
        """What is accepted, in words."""
        return f"bytes from {size_text(self.minimum)} to {size_text(self.maximum)}, as in '64 KiB'"

    def _parse(self, value: Any) -> int:
        written = re.fullmatch(r"([0-9]{1,18}) ?(|kib|mib)", str(value).strip().lower())
        if not written or isinstance(value, bool):
            raise ValidationError("not a number of bytes")
        return int(written[1]) * self._FACTORS[written[2]]


def size_text(size: int) -> str:
    """A number of bytes in the largest unit that divides it."""
    for factor, unit in ((1024**2, "MiB"), (1024, "KiB")):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return str(size)


class Choice(fields.Field[Any]):
    """One of a few words or numbers; text that looks like one of the numbers is that number."""

    def __init__(self, choices: Collection[str | int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choices = {str(choice): choice for choice in choices}

    @property
    def allowed(self) -> str:
        """What is accepted, in words."""
        return "one of " + ", ".join(self.choices)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str | int:
        if isinstance(value, bool) or str(value).strip() not in self.choices:
            raise ValidationError("not one of the choices")
        return self.choices[str(value).strip()]


class Url(fields.Field[str]):
    """An absolute URL without credentials, or one of ``words`` that stand in for one."""

    def __init__(
        self,
        schemes: Collection[str] = ("http", "https"),
        words: Collection[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.schemes, self.words = tuple(schemes), tuple(words)

    @property
    def allowed(self) -> str:
        """What is accepted, in words."""
        return " or ".join([f"a URL ({', '.join(self.schemes)})", *self.words])

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or len(value) > 2048:
            raise ValidationError("not a URL")
        if value not in self.words:
            self._check(value)
        return value

    def _check(self, value: str) -> None:
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - raises where it is no port
        except ValueError:
            raise ValidationError("not a URL") from None
        if not re.fullmatch(r"[!-~]+", value) or parts.scheme not in self.schemes:
            raise ValidationError("not a URL of this kind")
        if not parts.hostname and parts.scheme in ("http", "https"):
            raise ValidationError("the URL names no host")
        if parts.username or parts.password:
            raise ValidationError("a URL with credentials in it; use the option meant for them")


class CommaList(fields.Field[tuple[str, ...]]):
    """Texts: a list in YAML, or one text with commas between them; ``choices`` narrows them."""

    def __init__(self, choices: Collection[str] = (), maximum: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choices, self.maximum = tuple(choices), maximum

    @property
    def allowed(self) -> str:
        """What is accepted, in words."""
        return "a list, or text with commas" + (
            f", of: {', '.join(self.choices)}" if self.choices else ""
        )

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[str, ...]:
        entries = value.split(",") if isinstance(value, str) else value
        if not isinstance(entries, list | tuple) or not all(isinstance(e, str) for e in entries):
            raise ValidationError("not a list of texts")
        texts = tuple(text for entry in entries if (text := entry.strip()))
        if len(texts) > self.maximum:
            raise ValidationError(f"more than {self.maximum} entries")
        for text in texts:
            if self.choices and text not in self.choices:
                raise ValidationError(f"{text!r} is not one of the choices")
        return texts


class SecretList(CommaList):
    """Secrets without commas in them: a list in YAML, or one text with commas between them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, tuple) and all(isinstance(entry, Secret) for entry in value):
            return value
        return tuple(map(Secret, super()._deserialize(value, attr, data, **kwargs)))


class FilePath(fields.Field[Path]):
    """A path; a relative one starts at the current directory, ``~`` is the home directory."""

    allowed = "a path"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Path:
        if not isinstance(value, str) or not value.isprintable():
            raise ValidationError("not a path")
        try:
            return Path(value).expanduser()
        except RuntimeError:
            raise ValidationError("the home directory is not known") from None


def shown(value: object) -> str:
    """A loaded setting as an operator reads it; a secret is masked."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shown(entry) for entry in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value or "''"
    return "unset" if value is None else str(value)
