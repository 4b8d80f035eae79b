"""All settings as people read them: what is in effect, and what there is to set."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from foodlog.config import Config
from foodlog.discovery import Offer, Plugins
from foodlog.plugins import Selection, uses
from foodlog.providers import KINDS
from foodlog.settings import SECTIONS, section_fields
from foodlog.strict_yaml import join
from foodlog.validation import allowed, default, display, is_secret

_INTRODUCTION = """\
# Configuration reference

Made by `foodlog config --reference` from the declarations in the code.

One YAML file configures everything: the one given as `--config FILE`, else the one
`FOODLOG_CONFIG` names, else the shipped one that `STORAGE_BACKEND` stands for (`aws`: aws.yaml;
`sqlite` or `local`: local.yaml), else local.yaml. Relative paths start at the current directory.
`foodlog config` prints what is in effect and where each value came from; `foodlog check` tries it.

In every value, `${NAME}` is replaced by the environment variable, `${NAME:-text}` by `text` where
it is unset or empty, `${NAME-text}` by `text` where it is unset; `$$` is a dollar sign. `text` may
hold further forms: `${A:-${B:-text}}`. An empty value counts as not given, unless the setting is
plain text.

## Providers

| setting | what it is |
|---|---|
| `storage` | where meals, accounts and photos are kept: `use` and `options` |
| `classifiers` | who is asked what is on a photo: `use`, `options`, `optional` of each, in order |
| `nutrition` | who is asked what foods contain: the same |
| `fallback` | what answers when nobody else does: `use` and `options` |

`use` is a provider's name, `options` are its own (below). An entry with `optional: true` is
skipped, with a line in the log, while an option it requires is empty.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in effect; ``value`` is masked where it is secret."""

    path: str
    value: str
    origin: str
    """``file:line`` with the environment variables used, or ``default``."""


def effective(config: Config, selection: Selection) -> Iterator[Setting]:
    """Every setting, in the order of the reference."""
    options = {chosen.setting: chosen for chosen in selection.chosen}
    for _, use in uses(config):
        yield _setting(config, join(use.setting, "use"), use.use)
        if use.setting not in options:
            yield _setting(config, join(use.setting, "optional"), "true (skipped)")
            continue
        chosen = options[use.setting]
        declared = chosen.offer.provider.Options().fields
        yield from _settings(config, join(use.setting, "options"), declared, chosen.options)
    for name, section in SECTIONS.items():
        values = getattr(config, name)
        declared = section_fields(section)
        yield from _settings(config, name, declared, {n: getattr(values, n) for n in declared})


def markdown(plugins: Plugins) -> str:
    """What can be set: the sections, and the options of the providers that come with FoodLog."""
    parts = [_INTRODUCTION]
    for kind in KINDS:
        parts += [_provider(kind, offer) for offer in _built_in(plugins, kind)]
    parts.append("## Everything else\n")
    for name, section in SECTIONS.items():
        parts.append(f"### `{name}`\n\n{section.__doc__}\n\n{_table(section_fields(section))}")
    return "\n".join(parts)


def _settings(
    config: Config,
    path: str,
    declared: Mapping[str, fields.Field[Any]],
    values: Mapping[str, Any],
) -> Iterator[Setting]:
    for name, field in declared.items():
        value = values.get(field.attribute or name)
        yield _setting(config, join(path, field.data_key or name), display(field, value))


def _setting(config: Config, path: str, value: str) -> Setting:
    return Setting(path, value, str(config.origins.get(path, "default")))


def _built_in(plugins: Plugins, kind: str) -> list[Offer]:
    offers = sorted(plugins.of(kind).items())
    return [offer for _, offer in offers if offer.source.distribution == "foodlog"]


def _provider(kind: str, offer: Offer) -> str:
    text = (offer.provider.__doc__ or "").strip().splitlines()
    declared = offer.provider.Options().fields
    body = _table(declared) if declared else "No options.\n"
    return f"### {kind}: `{offer.name}`\n\n{text[0] if text else ''}\n\n{body}"


def _table(declared: Mapping[str, fields.Field[Any]]) -> str:
    rows = ["| setting | allowed | default | what it is |", "|---|---|---|---|"]
    for name, field in declared.items():
        text = str(field.metadata.get("help", "")) + (" Secret." if is_secret(field) else "")
        usual = "required" if field.required else f"`{default(field)}`"
        cells = (f"`{field.data_key or name}`", allowed(field), usual, text)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"
