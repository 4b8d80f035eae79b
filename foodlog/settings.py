"""Every plain setting, declared once: its type, default and help.

:mod:`foodlog.config` fills these from YAML; docs/configuration.md is made from them.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from marshmallow import ValidationError, fields, validate

from foodlog import keyfile, options
from foodlog.ingredient_weights import Weights, WeightsField
from foodlog.options import Secret
from foodlog.photos import PhotoLimits

KIB, MIB = 1024, 1024**2
T = TypeVar("T")


def setting(field: fields.Field[Any], default: T, text: str) -> T:
    """Declare a setting: the field that checks it, its default, and its help."""
    field.load_default = default
    field.metadata = {"help": text}
    declared: Any = dataclasses.field(default_factory=lambda: default, metadata={"field": field})
    return declared  # type: ignore[no-any-return]


class _Status(options.Whole):
    allowed = "200, or 400 to 499"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        status = super()._deserialize(value, attr, data, **kwargs)
        if 200 < status < 400:
            raise ValidationError("out of range")
        return status


def _check_origins(origins: tuple[str, ...]) -> None:
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[\w.\[\]:-]+", origin):
            raise ValidationError(f"{origin!r} is neither '*' nor like 'https://app.example.com'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Who may do what."""

    mode: str = setting(
        options.Choice(["jwt", "single_user"]),
        "jwt",
        "`jwt`: accounts with passwords and tokens; `single_user`: no token is asked for, "
        "everything belongs to one local user.",
    )
    secret: Secret = setting(
        options.SecretField(),
        Secret(),
        "Signs tokens, photo links and cursors; at least 32 bytes. Where empty, `secret_file`.",
    )
    previous_secrets: tuple[Secret, ...] = setting(
        options.SecretList(maximum=10),
        (),
        "Keys that were `secret` before; what they signed is still accepted.",
    )
    secret_file: Path | None = setting(
        options.FilePath(), None, "File of the key; made on the first start where there is none."
    )
    expiration_minutes: int = setting(
        options.Whole(1, 525_600), 60, "How long a token is valid, in minutes."
    )
    anonymous_predict: str = setting(
        options.Choice(["analyze", "deny"]),
        "analyze",
        "`/predict` without a token: analyse and keep nothing, or answer 401.",
    )
    photo_url_minutes: int = setting(
        options.Whole(1, 10_080), 60, "How long a link to a photo works, in minutes."
    )

    def key(self) -> Secret:
        """The key that signs; where ``secret_file`` does not exist yet, it is made now.

        Raises :class:`foodlog.errors.ConfigError`.
        """
        if self.secret or self.secret_file is None:
            return self.secret
        return Secret(keyfile.signing_key(self.secret_file))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large an input may be."""

    photo_bytes: int = setting(options.Size(KIB, 100 * MIB), 10 * MIB, "A photo.")
    body_bytes: int = setting(
        options.Size(KIB, 110 * MIB), 11 * MIB, "A request's body; more than `photo_bytes`."
    )
    bodies_bytes: int = setting(
        options.Size(MIB, 1024 * 1024 * MIB),
        512 * MIB,
        "All bodies one worker holds in memory, at least `body_bytes`; one more gets a 503.",
    )
    json_bytes: int = setting(options.Size(KIB, 10 * MIB), 64 * KIB, "A JSON body.")
    json_depth: int = setting(options.Whole(2, 200), 32, "Levels of a JSON body.")
    photo_megapixels: int = setting(options.Whole(1, 89), 50, "Pixels of a photo, in millions.")
    photo_side: int = setting(options.Whole(16, 65_000), 12_000, "A photo's longer side, pixels.")
    parts: int = setting(options.Whole(2, 64), 8, "Parts of a multipart body.")
    history_default: int = setting(
        options.Whole(1, 1000), 100, "Meals on a page where `limit` is not given."
    )
    history_max: int = setting(options.Whole(1, 1000), 500, "Largest `limit` of a page.")
    password_min: int = setting(options.Whole(8, 1024), 8, "Characters of a password, at least.")
    password_max: int = setting(options.Whole(64, 4096), 1024, "Characters of a password, at most.")

    def photo(self) -> PhotoLimits:
        """What a photo may be at most."""
        return PhotoLimits(
            max_bytes=self.photo_bytes,
            max_pixels=self.photo_megapixels * 1_000_000,
            max_side=self.photo_side,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """Which web pages of other origins may call the API (cookies are never used)."""

    origins: tuple[str, ...] = setting(
        options.CommaList(validate=_check_origins), ("*",), "Origins, or `*` for all; may be empty."
    )
    max_age: int = setting(
        options.Whole(0, 86_400), 3600, "How long browsers keep a preflight answer, in seconds."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """How a photo becomes a meal."""

    threshold: float = setting(
        options.Share(), 0.5, "Confidence under which a photo is rejected; above 1 a percentage."
    )
    rejection_status: int = setting(_Status(200, 499), 422, "HTTP status of a rejection.")
    deadline: float = setting(
        options.Seconds(120, 1), 12.0, "Time for a whole prediction, in seconds."
    )
    reserve: float = setting(
        options.Seconds(10, 0.1),
        1.0,
        "Part of the deadline kept for storing and answering, in seconds; less than `deadline`.",
    )
    min_coverage: float = setting(
        options.Share(),
        0.6,
        "Share of a dish's weight a nutrition source must know; else the next one is asked.",
    )
    ingredient_weights: Weights = setting(
        WeightsField(), {}, "Weights that replace or add to those of the dish table, in grams."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """How much one worker does at once; a request that finds its queue full gets a 503."""

    requests: int = setting(
        options.Whole(1, 256), 16, "Threads for everything but analyses and passwords."
    )
    requests_queue: int = setting(options.Whole(0, 10_000), 128, "Requests that wait for one.")
    analyses: int = setting(options.Whole(1, 256), 16, "Threads for analyses.")
    analyses_queue: int = setting(options.Whole(0, 10_000), 32, "Analyses that wait for one.")
    passwords: int = setting(options.Whole(1, 64), 2, "Threads that hash passwords.")
    passwords_queue: int = setting(options.Whole(0, 10_000), 16, "Passwords that wait for one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """When a failing provider is left alone."""

    failures: int = setting(
        options.Whole(1, 1000), 3, "Failures in a row after which it is not asked any more."
    )
    seconds: float = setting(
        options.Seconds(3600, 0.1), 30.0, "Time until it is tried again, in seconds."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The routes."""

    legacy_prefix: str = setting(
        fields.String(
            validate=validate.Regexp(
                r"^((/[A-Za-z0-9_-]+)+)?$", error="neither empty nor a path like '/api'"
            )
        ),
        "/api",
        "Path under which all routes are mounted a second time; empty for none.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """What is logged, on standard error."""

    level: str = setting(
        options.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]),
        "INFO",
        "Events below this level are not logged.",
    )
    format: str = setting(
        options.Choice(["json", "text"]), "json", "One JSON object a line, or text for people."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One provider the configuration asks for."""

    setting: str
    """Where: ``storage``, ``classifiers[0]``."""
    use: str
    """The provider's name."""
    optional: bool = False
    """Skipped while a required option is empty."""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    """As written, expanded, not yet checked."""


SECTIONS: Mapping[str, type[Any]] = {
    "auth": Auth,
    "limits": Limits,
    "cors": Cors,
    "prediction": Prediction,
    "concurrency": Concurrency,
    "breaker": Breaker,
    "api": Api,
    "logging": Logging,
}
"""The sections that hold plain settings."""


def section_fields(section: type[Any]) -> dict[str, fields.Field[Any]]:
    """The fields of a section's settings, by name."""
    return {entry.name: entry.metadata["field"] for entry in dataclasses.fields(section)}
