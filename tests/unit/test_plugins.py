"""Finding, choosing, building and closing providers; and what an operator reads when it fails."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import foodlog
from foodlog.config import Config, parse_config
from foodlog.discovery import Plugins, discover
from foodlog.dishes import Dishes
from foodlog.errors import ConfigError, ProviderError
from foodlog.options import Secret
from foodlog.plugins import Providers, select
from foodlog.providers import Classifier, Context, Fallback

Install = Callable[..., Path]

CONFIG = """
auth: {secret: 0123456789abcdef0123456789abcdef}
storage: {use: shelf}
classifiers:
  - {use: taster, options: {key: k}}
nutrition: [{use: scale}]
fallback: {use: guess}
"""


def installed(site: Path) -> list[EntryPoint]:
    return [e for d in distributions(path=[str(site)]) for e in d.entry_points]


def configured(text: str = CONFIG, **environ: str) -> Config:
    return parse_config(text, "t.yaml", environ)


@pytest.fixture
def site(install: Install, pantry: str) -> Path:
    return install("pantry", pantry, version="1.2")


@pytest.fixture
def found(site: Path) -> Plugins:
    return discover(installed=installed(site))


@pytest.fixture
def context() -> Context:
    return Context(dishes=Dishes([]), clock=lambda: datetime.now(UTC))


def refusal(plugins: Plugins, text: str, **environ: str) -> str:
    """The problems, without the line that names the file."""
    with pytest.raises(ConfigError) as caught:
        select(plugins, configured(text, **environ))
    first, *rest = str(caught.value).splitlines()
    assert first == "the configuration t.yaml cannot be used:"
    return "\n".join(line.strip() for line in rest)


def plugin(**hooks: Callable[..., Any]) -> SimpleNamespace:
    return SimpleNamespace(
        __name__="mine", **{name: foodlog.hookimpl(hook) for name, hook in hooks.items()}
    )


def test_every_kind_of_provider_is_found_with_its_origin(found: Plugins) -> None:
    assert [(o.kind, o.name, str(o.source)) for o in found.offers] == [
        ("storage", "shelf", "pantry 1.2 (entry point pantry)"),
        ("classifier", "taster", "pantry 1.2 (entry point pantry)"),
        ("nutrition", "scale", "pantry 1.2 (entry point pantry)"),
        ("fallback", "guess", "pantry 1.2 (entry point pantry)"),
    ]
    assert found.broken == ()


def test_what_is_chosen_is_built_in_order_and_closed_in_reverse(
    found: Plugins, context: Context
) -> None:
    providers = select(found, configured()).build(context)
    assert providers.storage.name == "shelf"
    assert [c.name for c in providers.classifiers] == ["taster"]
    assert [n.name for n in providers.nutrition] == ["scale"]
    assert providers.fallback.name == "guess"
    assert providers.classifiers[0].options == {
        "key": Secret("k"),
        "timeout": 8.0,
        "mood": "fine",
    }
    providers.close()
    assert events_of(providers) == [
        *("built shelf", "built taster", "built scale", "built guess"),
        *("closed guess", "closed scale", "closed taster", "closed shelf"),
    ]


def test_each_is_told_how_many_threads_call_it(found: Plugins, context: Context) -> None:
    providers = select(found, configured()).build(replace(context, threads=3), storage_threads=8)
    assert providers.storage.context.threads == 8
    assert [c.context.threads for c in providers.classifiers] == [3]
    assert providers.fallback.context.threads == 3


def events_of(providers: Providers) -> list[str]:
    module = __import__(type(providers.storage).__module__)
    return list(module.events)


def test_one_that_cannot_be_closed_keeps_no_other_open(
    found: Plugins, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    text = CONFIG.replace("{use: scale}", "{use: scale, options: {mood: stuck}}")
    providers = select(found, configured(text)).build(context)
    providers.close()
    assert events_of(providers)[-1] == "closed shelf"
    assert [r.__dict__["provider"] for r in caplog.records] == ["scale"]


@pytest.mark.parametrize(
    ("mood", "reason"), [("unbuildable", "the shelf is full"), ("crash", "KeyError: 'boom'")]
)
def test_where_one_cannot_be_built_those_before_it_are_closed(
    found: Plugins, context: Context, mood: str, reason: str
) -> None:
    text = CONFIG.replace("{use: scale}", f"{{use: scale, options: {{mood: {mood}}}}}")
    selection = select(found, configured(text))
    with pytest.raises(ProviderError) as caught:
        selection.build(context)
    assert str(caught.value) == (
        f"nutrition[0]: 'scale' of pantry 1.2 (entry point pantry) cannot start: {reason}"
    )
    assert caught.value.permanent
    events = __import__("pantry").events
    assert events == ["built shelf", "built taster", "closed taster", "closed shelf"]


def test_a_wrong_provider_name_gets_the_nearest_and_all_choices(found: Plugins) -> None:
    assert refusal(found, CONFIG.replace("use: taster", "use: tester")) == (
        "classifiers[0].use: there is no classifier provider 'tester' (t.yaml:5); "
        "did you mean 'taster'? Known: taster."
    )


def test_a_wrong_option_name_gets_the_nearest_and_the_distribution(found: Plugins) -> None:
    assert refusal(found, CONFIG.replace("key: k", "key: k, timout: 3")) == (
        "classifiers[0].options.timout: no such setting (t.yaml:5); did you mean 'timeout'? "
        "Known: key, mood, timeout. It is an option of 'taster' of pantry 1.2 (entry point pantry)."
    )


def test_a_wrong_option_value_names_the_variable_the_range_and_the_default(
    found: Plugins,
) -> None:
    text = CONFIG.replace("key: k", 'key: k, timeout: "${PATIENCE:-1}"')
    assert refusal(found, text, PATIENCE="soon") == (
        "classifiers[0].options.timeout: 'soon' is refused (t.yaml:5, from PATIENCE): "
        "not a number of seconds. Allowed: a number of seconds from 0.001 to 60. Default: 8.0. "
        "It is an option of 'taster' of pantry 1.2 (entry point pantry)."
    )


def test_a_missing_secret_names_the_variables_to_set(found: Plugins) -> None:
    text = CONFIG.replace("key: k", 'key: "${TASTER_KEY:-${OLD_KEY:-}}"')
    assert refusal(found, text) == (
        "classifiers[0].options.key: required, but empty (t.yaml:5); set TASTER_KEY or OLD_KEY in "
        "the environment. Allowed: text without control characters or spaces around it. "
        "It is an option of 'taster' of pantry 1.2 (entry point pantry)."
    )


def test_a_wrong_secret_is_not_shown(found: Plugins) -> None:
    told = refusal(found, CONFIG.replace("key: k", 'key: "s3cr3t "'))
    assert "the secret is refused (t.yaml:5): there are control characters in it" in told
    assert "s3cr3t" not in told


def test_all_problems_are_told_at_once(found: Plugins) -> None:
    text = CONFIG.replace("key: k", "key: k, timeout: 99").replace("use: guess", "use: gues")
    assert [line.split(":")[0] for line in refusal(found, text).splitlines()] == [
        "classifiers[0].options.timeout",
        "fallback.use",
    ]


def test_an_optional_provider_is_skipped_while_a_required_option_is_empty(
    found: Plugins, caplog: pytest.LogCaptureFixture
) -> None:
    text = CONFIG.replace("{key: k}", '{key: "${K:-}"}, optional: true')
    with caplog.at_level(logging.INFO):
        selection = select(found, configured(text))
    assert [c.offer.name for c in selection.chosen] == ["shelf", "scale", "guess"]
    assert [(s.setting, s.reason) for s in selection.skipped] == [
        (
            "classifiers[0]",
            "classifiers[0].options.key: required, but empty (t.yaml:5); set K in the environment. "
            "Allowed: text without control characters or spaces around it.",
        )
    ]
    assert [(r.message, r.__dict__["provider"]) for r in caplog.records] == [
        ("an optional provider is skipped", "taster")
    ]
    assert len(select(found, configured(text, K="k")).chosen) == 4


def test_an_optional_provider_with_a_wrong_option_is_still_an_error(found: Plugins) -> None:
    text = CONFIG.replace("{key: k}", "{timeout: never}, optional: true")
    assert refusal(found, text).startswith("classifiers[0].options.timeout: 'never' is refused")


def test_two_plugins_with_one_name_are_both_named(
    install: Install, site: Path, pantry: str
) -> None:
    install("larder", pantry)
    with pytest.raises(ConfigError) as caught:
        discover(installed=installed(site))
    assert str(caught.value) == (
        "two plugins offer a storage provider named 'shelf': larder 1.0 (entry point larder) and "
        "pantry 1.2 (entry point pantry). Uninstall one of them, or rename its provider."
    )


BROKEN = {
    "import nonexistent_thing": "ModuleNotFoundError: No module named 'nonexistent_thing'",
    "raise SystemExit": "SystemExit",
    "import foodlog\n@foodlog.hookimpl\ndef foodlog_clasifiers(): return []": (
        "there is no hook 'foodlog_clasifiers'; did you mean 'foodlog_classifiers'? Known: "
        "foodlog_classifiers, foodlog_fallbacks, foodlog_meal_logged, foodlog_nutrition_sources, "
        "foodlog_storages"
    ),
    "x = 1": "it implements no hook; is @foodlog.hookimpl missing?",
    "import foodlog\n@foodlog.hookimpl\ndef foodlog_storages(): return 1 / 0": (
        "ZeroDivisionError: division by zero"
    ),
    "import foodlog\n@foodlog.hookimpl\ndef foodlog_storages(): return [dict]": (
        "foodlog_storages returned <class 'dict'>, which is no subclass of Storage"
    ),
    "import foodlog\n@foodlog.hookimpl\ndef foodlog_storages(): pass": (
        "foodlog_storages returned None, not a list of classes"
    ),
}


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_plugin_nobody_asked_for_is_a_warning(
    install: Install, site: Path, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    install("foodlog-onnx", source, entry_point="onnx")
    selection = select(discover(installed=installed(site)), configured())
    assert len(selection.chosen) == 4
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.__dict__["plugin"] == "foodlog-onnx 1.0 (entry point onnx)"
    assert record.__dict__["reason"] == BROKEN[source]
    assert record.__dict__["remedy"] == "reinstall foodlog-onnx, or uninstall it"


@pytest.mark.parametrize("given", ["{}", "{use: }", "{use: '', optional: true}"])
def test_a_provider_without_a_name_is_told_which_there_are(found: Plugins, given: str) -> None:
    text = CONFIG.replace("{use: scale}", given)
    assert refusal(found, text) == (
        "nutrition[0].use: required, but empty (t.yaml:6); name a nutrition provider. Known: scale."
    )


def test_without_a_storage_it_is_told_which_there_are(found: Plugins) -> None:
    assert refusal(found, CONFIG.replace("storage: {use: shelf}", "")) == (
        "storage.use: required, but empty; name a storage provider. Known: shelf."
    )


@pytest.mark.parametrize("word", ["onnx", "foodlog_onnx", "something_else"])
def test_a_broken_plugin_that_may_be_the_one_wanted_is_part_of_the_error(
    install: Install, site: Path, word: str
) -> None:
    install("foodlog-onnx", "import onnxruntime_missing", entry_point="onnx")
    plugins = discover(installed=installed(site))
    assert refusal(plugins, CONFIG.replace("use: taster", f"use: {word}")) == (
        f"classifiers[0].use: there is no classifier provider '{word}' (t.yaml:5); Known: taster. "
        "foodlog-onnx 1.0 (entry point onnx) cannot be used: ModuleNotFoundError: No module named "
        "'onnxruntime_missing'; reinstall foodlog-onnx, or uninstall it."
    )


def test_only_the_broken_plugin_of_that_name_is_told_where_there_is_one(
    install: Install, site: Path
) -> None:
    install("foodlog-onnx", "import onnxruntime_missing", entry_point="onnx")
    install("unrelated", "x = 1")
    plugins = discover(installed=installed(site))
    assert "unrelated" not in refusal(plugins, CONFIG.replace("use: taster", "use: onnx"))


def test_a_plugin_that_was_passed_in_must_work() -> None:
    def storages(unexpected: int) -> None: ...

    said = r"^the plugin mine that was passed in cannot be used: .*unexpected.*\.$"
    with pytest.raises(ConfigError, match=said):
        discover([plugin(foodlog_storages=storages)], installed=())


def test_a_plugin_that_was_passed_in_is_offered_like_an_installed_one(pantry: str) -> None:
    module = ModuleType("larder")
    exec(pantry, module.__dict__)
    plugins = discover([module], installed=())
    assert plugins.of("storage")["shelf"].source.distribution is None
    assert len(select(plugins, configured()).chosen) == 4


class Unfinished(Classifier):
    name = "unfinished"


class Nameless(Fallback):
    def check(self) -> None: ...
    def predict(self, photo: object, label: str | None = None) -> Any: ...


class Shouting(Nameless):
    name = "LOUD"


class Schemaless(Nameless):
    name = "schemaless"
    Options = dict  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("hook", "classes", "reason"),
    [
        ("classifiers", [Unfinished], "the class Unfinished lacks check, classify"),
        ("classifiers", ["taster"], "foodlog_classifiers returned 'taster', which is no subclass"),
        ("classifiers", "taster", "foodlog_classifiers returned 'taster', not a list of classes"),
        ("storages", [Shouting], "which is no subclass of Storage"),
        ("fallbacks", [Nameless], "the class Nameless has the name None; a name is lower case"),
        ("fallbacks", [Shouting], "the class Shouting has the name 'LOUD'; a name is lower case"),
        ("fallbacks", [Schemaless], "Schemaless.Options is no marshmallow schema"),
    ],
)
def test_a_hook_must_return_usable_classes(
    hook: str, classes: Iterable[object], reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        discover([plugin(**{f"foodlog_{hook}": lambda: classes})], installed=())
    assert reason in str(caught.value)


def test_nothing_of_a_broken_plugin_is_kept(install: Install, pantry: str) -> None:
    site = install("pantry", pantry.replace("return [Guess]", "return [Shelf]"))
    plugins = discover(installed=installed(site))
    assert plugins.offers == ()
    assert plugins.listeners() == []
    assert len(plugins.broken) == 1


def test_listeners_may_leave_out_the_meal() -> None:
    heard: list[object] = []
    one = plugin(foodlog_meal_logged=lambda meal: heard.append(meal))
    other = plugin(foodlog_meal_logged=lambda: heard.append("something"))
    meal: Any = "a meal"
    for listener in discover([one, other], installed=()).listeners():
        listener(meal)
    assert sorted(map(str, heard)) == ["a meal", "something"]


def test_the_hooks_run_once() -> None:
    calls: list[int] = []

    class Quiet(Nameless):
        name = "guess"

    def fallbacks() -> list[type[Fallback]]:
        calls.append(1)
        return [Quiet]

    plugins = discover([plugin(foodlog_fallbacks=fallbacks)], installed=())
    assert list(plugins.of("fallback")) == ["guess"]
    assert calls == [1]


def test_the_installed_plugins_are_those_of_the_entry_point_group(site: Path) -> None:
    plugins = discover()
    assert plugins.of("storage")["shelf"].source.distribution == "pantry"
