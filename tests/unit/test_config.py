"""YAML and environment become settings; what is wrong is told in an operator's words."""

import dataclasses
import os
import pickle
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path

import pytest

from foodlog import keyfile, strict_yaml
from foodlog.config import Config, load_config, parse_config, shipped_files
from foodlog.errors import ConfigError
from foodlog.options import Secret
from foodlog.settings import SECTIONS, Limits, section_fields

KEY = "0123456789abcdef0123456789abcdef"
LEAST = f"""
storage: {{use: shelf}}
fallback: {{use: guess}}
auth: {{secret: {KEY}}}
"""


def read(text: str = "", **environ: str) -> Config:
    return parse_config(LEAST + text, "t.yaml", environ)


def refusal(text: str, **environ: str) -> str:
    """The problems, without the line that names the file."""
    with pytest.raises(ConfigError) as caught:
        read(text, **environ)
    return "\n".join(line.strip() for line in str(caught.value).splitlines()[1:])


def test_what_is_not_given_has_its_default() -> None:
    config = read()
    for name, section in SECTIONS.items():
        if name != "auth":
            assert getattr(config, name) == section()
    assert (config.classifiers, config.nutrition) == ((), ())


def test_what_is_given_is_converted_from_text_and_from_yaml() -> None:
    text = """
limits: {photo_bytes: 8 MiB, body_bytes: "${BODY}", parts: 5}
prediction: {threshold: "${T:-60}", deadline: "7.5", rejection_status: "${S}"}
cors: {origins: "https://a.example, http://localhost:3000", max_age: 0}
api: {legacy_prefix: "${PREFIX-/api}"}
"""
    config = read(text, BODY="9437184", S="200", PREFIX="")
    assert (config.limits.photo_bytes, config.limits.body_bytes) == (8 * 2**20, 9 * 2**20)
    assert config.limits.parts == 5
    assert (config.prediction.threshold, config.prediction.deadline) == (0.6, 7.5)
    assert config.prediction.rejection_status == 200
    assert config.cors.origins == ("https://a.example", "http://localhost:3000")
    assert config.api.legacy_prefix == ""


def test_an_empty_value_counts_as_not_given_unless_it_is_text() -> None:
    config = read('prediction: {threshold: "${T:-}"}\napi: {legacy_prefix: ""}\nlimits:\n')
    assert config.prediction.threshold == 0.5
    assert config.api.legacy_prefix == ""
    assert config.limits == Limits()


def test_each_value_knows_its_line_and_its_variables() -> None:
    config = read('limits:\n  parts: "${A:-${B:-8}}"\n', B="7")
    origin = config.origins["limits.parts"]
    assert str(origin) == "t.yaml:6, from B"
    assert origin.consulted == ("A", "B")
    assert "limits.json_bytes" not in config.origins


def test_providers_keep_their_order_and_their_options_unchecked() -> None:
    config = read(
        """
classifiers:
  - {use: a, optional: yes, options: {key: "${K}", deep: [{x: "${K}"}]}}
  - {use: b, options: }
""",
        K="v",
    )
    first, second = config.classifiers
    assert (first.setting, first.use, first.optional) == ("classifiers[0]", "a", True)
    assert first.options == {"key": "v", "deep": [{"x": "v"}]}
    assert (second.setting, second.optional, second.options) == ("classifiers[1]", False, {})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().limits.parts = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "limits: {photo_bites: 3}",
            "limits.photo_bites: no such setting (t.yaml:5); did you mean 'photo_bytes'? Known: "
            "bodies_bytes, body_bytes, history_default, history_max, json_bytes, json_depth, "
            "parts, password_max, password_min, photo_bytes, photo_megapixels, photo_side.",
        ),
        (
            "limit: {}",
            "limit: no such setting (t.yaml:5); did you mean 'limits'? Known: api, auth, breaker, "
            "classifiers, concurrency, cors, fallback, limits, logging, nutrition, prediction, "
            "storage.",
        ),
        (
            'limits: {parts: "${PARTS}"}',
            "limits.parts: the environment variable PARTS is not set (t.yaml:5); set it, or write "
            "a default: ${NAME:-default}.",
        ),
        (
            "limits: {parts: 5$}",
            "limits.parts: '$' is not understood; the forms are ${NAME}, ${NAME:-default}, "
            "${NAME-default}, and $$ for a dollar sign (t.yaml:5).",
        ),
        (
            'limits: {parts: "${MANY}"}',
            "limits.parts: 'a lot' is refused (t.yaml:5, from MANY): not a whole number. "
            "Allowed: a whole number from 2 to 64. Default: 8.",
        ),
        (
            "limits: {json_bytes: 1 GB}",
            "limits.json_bytes: '1 GB' is refused (t.yaml:5): not a number of bytes. "
            "Allowed: bytes from 1 KiB to 10 MiB, as in '64 KiB'. Default: 64 KiB.",
        ),
        (
            "limits: {parts: }",
            "limits.parts: null is refused (t.yaml:5): remove the line for the default. "
            "Allowed: a whole number from 2 to 64. Default: 8.",
        ),
        (
            "limits: {photo_bytes: 12 MiB}",
            "limits.photo_bytes: 12582912 is more than limits.body_bytes, 11534336 (t.yaml:5).",
        ),
        (
            "limits: {bodies_bytes: 8 MiB}",
            "limits.body_bytes: 11534336 is more than limits.bodies_bytes, 8388608 (t.yaml:5).",
        ),
        (
            "limits: {history_max: 50}",
            "limits.history_default: 100 is more than limits.history_max, 50 (t.yaml:5).",
        ),
        (
            "prediction: {reserve: 2, deadline: 1.5}",
            "prediction.reserve: 2.0 is not less than prediction.deadline, 1.5 (t.yaml:5).",
        ),
        (
            "prediction: {deadline: 1}",
            "prediction.reserve: 1.0 is not less than prediction.deadline, 1.0 (t.yaml:5).",
        ),
        (
            "prediction: {threshold: 101}",
            "prediction.threshold: 101 is refused (t.yaml:5): out of range. Allowed: a share from "
            "0 to 1, or a percentage above 1 and up to 100. Default: 0.5.",
        ),
        (
            "prediction: {rejection_status: 302}",
            "prediction.rejection_status: 302 is refused (t.yaml:5): out of range. Allowed: 200, "
            "or 400 to 499. Default: 422.",
        ),
        (
            "logging: {level: LOUD}",
            "logging.level: 'LOUD' is refused (t.yaml:5): not one of the choices. "
            "Allowed: one of DEBUG, INFO, WARNING, ERROR. Default: INFO.",
        ),
        (
            "cors: {origins: app.example}",
            "cors.origins: 'app.example' is refused (t.yaml:5): 'app.example' is neither '*' nor "
            "like 'https://app.example.com'. Allowed: a list, or text with commas. Default: [*].",
        ),
        (
            "api: {legacy_prefix: api/}",
            "api.legacy_prefix: 'api/' is refused (t.yaml:5): neither empty nor a path like "
            "'/api'. Allowed: text. Default: /api.",
        ),
        (
            "classifiers: huggingface",
            "classifiers: must be a list of providers (t.yaml:5).",
        ),
        ("limits: [1]", "limits: must be a mapping (t.yaml:5)."),
        (
            "nutrition: [{use: 3}]",
            "nutrition[0].use: 3 is refused (t.yaml:5): Not a valid string. "
            "Allowed: text, at least 1 and at most 100 characters.",
        ),
        (
            "breaker: {failures: 99999999999999999999999}",
            "breaker.failures: 99999999999999999999999 is refused (t.yaml:5): out of range. "
            "Allowed: a whole number from 1 to 1000. Default: 3.",
        ),
        (
            "breaker: {seconds: 99999999999999999999999}",
            "breaker.seconds: 99999999999999999999999 is refused (t.yaml:5): out of range. "
            "Allowed: a number of seconds from 0.1 to 3600. Default: 30.0.",
        ),
        (
            "nutrition: [{use: a, optional: perhaps}]",
            "nutrition[0].optional: 'perhaps' is refused (t.yaml:5): Not a valid boolean. "
            "Allowed: true or false. Default: false.",
        ),
    ],
)
def test_what_an_operator_reads(text: str, message: str) -> None:
    assert refusal(text, MANY="a lot") == message


KEY_ADVICE = (
    "set it (JWT_SECRET_KEY in the shipped files) to at least 32 random bytes, such as the output "
    "of: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'. "
    "Or name a file for it in auth.secret_file, on one machine alone: several must share the key."
)


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (
            'auth: {secret: "${JWT_SECRET_KEY:-}"}',
            f"  auth.secret: required, but empty (t.yaml:3); {KEY_ADVICE}",
        ),
        (
            'auth: {secret: "${SHORT}"}',
            f"  auth.secret: the secret is too short (t.yaml:3, from SHORT); {KEY_ADVICE}",
        ),
    ],
)
def test_without_a_good_key_nothing_starts(auth: str, message: str) -> None:
    text = f"storage: {{use: shelf}}\nfallback: {{use: guess}}\n{auth}"
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "t.yaml", {"SHORT": "only-31-bytes-of-s3cr3t-material"[:31]})
    assert str(caught.value).splitlines() == [
        "the configuration t.yaml cannot be used:",
        message,
    ]


def test_all_problems_are_told_at_once_and_each_once() -> None:
    told = refusal('limits: {parts: "${NO}", json_depth: x}\nprediction: {deadline: 0}\nextra: 1')
    assert sorted(line.split(":")[0] for line in told.splitlines()) == [
        "extra",
        "limits.json_depth",
        "limits.parts",
        "prediction.deadline",
    ]
    told = refusal("limits: {parts: x}\nprediction: {reserve: 2, deadline: 1}")
    assert {line.split(":")[0] for line in told.splitlines()} == {
        "limits.parts",
        "prediction.reserve",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", "t.yaml, line 3: no valid YAML: did not find"),
        ("a: 1\n\tb: 2\n", "; indent with spaces, not with tabs."),
        ("a:\n  \tb: 2\n", "t.yaml, line 2: no valid YAML: "),
        ("a:\n  \tb: 2\n", "; indent with spaces, not with tabs."),
        ("a: {b: ${C:-d}}\n", "; put quotes around text with ${…}, * or @ in it."),
        ("cors:\n  origins: *\n", "; put quotes around text with ${…}, * or @ in it."),
        ("a: @b\n", "; put quotes around text with ${…}, * or @ in it."),
        ("", "the configuration t.yaml is empty. Copy one to begin with: "),
        ("# a: 1\n", "the configuration t.yaml is empty. Copy one to begin with: "),
        ("a: 1\na: 2\n", "t.yaml, line 2: a is given twice, first in line 1."),
        ("x: {y: 1, y: 2}", "t.yaml, line 1: x.y is given twice, first in line 1."),
        ("1: a", "t.yaml, line 1: a key must be plain text, and '1' is not."),
        ("[a]: b", "t.yaml, line 1: a key must be plain text"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "t.yaml, line 3: a key must be plain text, and '<<' is not"),
        ("a: !!python/object:os.system {}", "t.yaml, line 1: the tag !!python/object:os.system is"),
        ("a: !x y", "t.yaml, line 1: the tag !x is not supported."),
        ("a: !!int x", "t.yaml, line 1: 'x' is not a number that can be used."),
        ("a: 0x" + "f" * 9000, "is not a number that can be used."),
        ("a: 1\n---\nb: 2\n", "t.yaml, line 2: no valid YAML: but found another document."),
        ("a: \x01", "t.yaml: no valid YAML: "),
        ("a: *nowhere", "t.yaml, line 1: no valid YAML: found undefined alias"),
        ("a: &a [*a]", "t.yaml, line 1: more than 20000 entries or 20 levels, aliases counted."),
        ("[" * 30 + "]" * 30, "more than 20000 entries or 20 levels"),
        ("[" * 200_000, "t.yaml, line 1: more than 20000 entries or 20 levels"),
        ("{a: " * 60_000, "t.yaml, line 1: more than 20000 entries or 20 levels"),
        ("a" * 300_000, "t.yaml is longer than 262144 characters."),
        ("just text", "the configuration t.yaml cannot be used:\n  the file: must be a mapping"),
    ],
)
def test_bad_yaml_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "t.yaml", {})
    assert message in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_aliases_cannot_blow_up() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(ConfigError, match="more than 20000 entries"):
        strict_yaml.parse(bomb, "t.yaml")


def test_yaml_values_are_plain() -> None:
    document = strict_yaml.parse("{a: 1, b: 1.5, c: yes, d: 2020-01-01, e: , f: [x]}", "t")
    assert document.value == {
        "a": 1, "b": 1.5, "c": True, "d": "2020-01-01", "e": None, "f": ["x"],
    }  # fmt: skip
    assert strict_yaml.parse("", "t").value is None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("argument.yaml", "variable.yaml"):
        (tmp_path / name).write_text(LEAST)
    return tmp_path


def test_the_file_is_the_argument_else_the_variable_else_by_backend(folder: Path) -> None:
    environ = {"FOODLOG_CONFIG": "variable.yaml", "STORAGE_BACKEND": "sqlite"}
    assert load_config("argument.yaml", environ).name == "argument.yaml"
    assert load_config(None, environ).name == "variable.yaml"
    del environ["FOODLOG_CONFIG"]
    assert Path(load_config(None, environ).name).name == "local.yaml"
    assert Path(load_config(None, {}).name).name == "local.yaml"
    assert Path(load_config(None, {"STORAGE_BACKEND": "Local", "FOODLOG_CONFIG": ""}).name).exists()


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, {"STORAGE_BACKEND": "mongodb"})
    assert str(caught.value) == (
        "STORAGE_BACKEND is 'mongodb'; allowed: local, sqlite, aws. "
        "Any other storage: write a YAML file and name it in FOODLOG_CONFIG."
    )


def test_a_file_that_cannot_be_read_is_named_with_who_named_it(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, {"FOODLOG_CONFIG": "gone.yaml"})
    assert str(caught.value) == (
        "the configuration file gone.yaml (named by FOODLOG_CONFIG) cannot be read: "
        f"No such file or directory. Shipped: {', '.join(map(str, shipped_files()))}."
    )
    (folder / "latin1.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(ConfigError, match=r"latin1\.yaml \(given as argument\) .* not UTF-8 text"):
        load_config("latin1.yaml", {})


def test_the_embedded_default_honours_the_variables_of_the_flask_service() -> None:
    environ = {
        "FOODLOG_DATA": "/srv",
        "SQLITE_DB_PATH": "/old/food.db",
        "UPLOADS_DIR": "/old/uploads",
        "HF_CONFIDENCE_THRESHOLD": "70",
        "HF_REJECTION_STATUS_CODE": "400",
        "HF_INGREDIENT_WEIGHT_OVERRIDES": '{"pizza": {"cheese": 80}}',
        "JWT_SECRET_KEY": KEY,
        "JWT_EXPIRATION_MINUTES": "15",
    }
    config = load_config(None, environ)
    assert config.storage.options == {"database": "/old/food.db", "photos": "/old/uploads"}
    assert (config.prediction.threshold, config.prediction.rejection_status) == (0.7, 400)
    assert config.prediction.ingredient_weights == {"pizza": {"cheese": 80}}
    assert (config.auth.key(), config.auth.expiration_minutes) == (Secret(KEY), 15)
    assert config.auth.secret_file == Path("/srv/secret.key")


def test_every_setting_has_help_and_a_default_its_own_field_accepts() -> None:
    for section in SECTIONS.values():
        for name, field in section_fields(section).items():
            assert field.metadata["help"].endswith("."), name
            value = getattr(section(), name)
            if value and not isinstance(value, Path):
                assert field.deserialize(value) == value, name


WEIGHTS = '{"pizza": {"cheese": 80}}'


@pytest.mark.parametrize("name", ["weights.json", "weights.yaml"])
def test_ingredient_weights_come_from_a_file(folder: Path, name: str) -> None:
    (folder / name).write_text(WEIGHTS)
    config = read('prediction: {ingredient_weights: "${W}"}', W=name)
    assert config.prediction.ingredient_weights == {"pizza": {"cheese": 80}}


def test_ingredient_weights_come_from_the_yaml_itself() -> None:
    config = read("prediction: {ingredient_weights: {pizza: {cheese: 80}}}")
    assert config.prediction.ingredient_weights == {"pizza": {"cheese": 80}}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{broken", "no valid JSON: "),
        ("[" * 100_000, "no valid JSON: "),
        ("[1]", "not a mapping of dishes"),
        ('{"a": {"b": 1}, "c": {}, "a": {"b": 2}}', "no valid JSON: 'a' is given twice"),
        ("gone.json", "the file cannot be read: No such file or directory"),
        ("bad.yaml", "bad.yaml, line 2: a is given twice, first in line 1"),
        ("latin1.yaml", "the file cannot be read: it is not UTF-8 text"),
        ("nul\0", "the file cannot be read: it is not UTF-8 text"),
    ],
)
def test_bad_ingredient_weights_are_refused(folder: Path, value: str, reason: str) -> None:
    (folder / "bad.yaml").write_text("a: {b: 1}\na: {b: 2}\n")
    (folder / "latin1.yaml").write_bytes(b"\xe9: {b: 1}")
    assert reason in refusal('prediction: {ingredient_weights: "${W}"}', W=value)


def key_of(path: Path) -> str:
    text = f"{LEAST.partition('auth')[0]}auth: {{secret_file: {path}}}"
    return parse_config(text, "t.yaml", {}).auth.key().reveal()


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret.key"
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: key_of(path), range(64)))
    assert keys == {path.read_text().strip()}
    assert len(keys.pop()) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["secret.key"]


def test_reading_the_configuration_makes_no_key_file(tmp_path: Path) -> None:
    load_config(None, {"FOODLOG_DATA": str(tmp_path / "data")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda path: path.write_text("short"), "holds fewer than 32 bytes. Remove it to have"),
        (lambda path: path.write_bytes(b"\xff" * 40), "cannot be used: it holds no text. Make it"),
        (lambda path: path.mkdir(), "cannot be used: Is a directory. Make it readable"),
        (
            lambda path: path.parent.rmdir() or path.parent.touch(),
            "cannot be used: File exists. Make",
        ),
        (
            lambda path: path.symlink_to("nowhere"),
            "cannot be used: No such file or directory. Make",
        ),
    ],
)
def test_a_bad_key_file_is_refused(
    tmp_path: Path, prepare: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / "keys" / "secret.key"
    path.parent.mkdir()
    prepare(path)
    with pytest.raises(ConfigError) as caught:
        key_of(path)
    assert str(caught.value).startswith(f"auth.secret_file: {path} ")
    assert reason in str(caught.value)
    with pytest.raises(ConfigError, match=f"^auth.secret_file: {path} ") as found:
        keyfile.check(path)
    assert reason.startswith("cannot be used") or reason in str(found.value)


def test_a_key_file_that_would_be_made_is_no_fault_and_is_not_made(tmp_path: Path) -> None:
    keyfile.check(tmp_path / "new" / "keys" / "secret.key")
    assert list(tmp_path.iterdir()) == []
    path = tmp_path / "secret.key"
    key = keyfile.signing_key(path)
    keyfile.check(path)
    assert path.read_text().strip() == key
    with pytest.raises(ConfigError, match="cannot be used"):
        keyfile.check(Path("/proc/foodlog/secret.key"))


def test_a_secret_is_shown_by_reveal_alone() -> None:
    secret = Secret("s3cr3t")
    for text in (repr(secret), str(secret), f"{secret}", f"{secret:>20}", f"{[secret]}"):
        assert "s3cr3t" not in text
    assert secret.reveal() == "s3cr3t"
    assert secret
    assert not Secret()
    assert secret == Secret("s3cr3t") != Secret("other")
    assert secret != "s3cr3t"
    assert len({secret, Secret("s3cr3t")}) == 1
    assert deepcopy(secret) is secret
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert KEY not in repr(read())
