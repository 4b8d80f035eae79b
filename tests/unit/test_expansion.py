"""``${…}`` means what it means in a shell."""

import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foodlog.expansion import MAX_NESTING, Expanded, FormError, UnsetError, expand

NAMES = ["A", "B", "_C9"]
ENVIRONMENTS = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(["", "x", "${A}", "$$", "}"])
)
LITERALS = st.text("abc:-{ é", max_size=4)
"""What stands between forms; no quotes and backslashes, which mean more to a shell."""


def forms(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        "${{{}{}{}}}".format, st.sampled_from(NAMES), st.sampled_from([":-", "-"]), inner
    )


TEXTS = st.lists(
    st.recursive(LITERALS | st.sampled_from([f"${{{n}}}" for n in NAMES]), forms, max_leaves=5),
    max_size=4,
).map("".join)


def model(text: str, environ: dict[str, str]) -> str:
    """The innermost form first, by regular expression; eager where the real one is lazy."""
    # What is put in place is spelled in private characters, so that it is no form again.
    hide = str.maketrans("${}", "\ue000\ue001\ue002")
    innermost = re.compile(r"\$\{(\w+)(?:(:?-)([^$}]*))?\}")

    def replacement(form: re.Match[str]) -> str:
        name, operator, default = form.groups()
        value = environ.get(name)
        if value or (value is not None and operator != ":-"):
            return value.translate(hide)
        return "\ue003" if operator is None else default.replace("{", "\ue001")

    while innermost.search(text):
        text = innermost.sub(replacement, text, count=1)
    return text.translate(str.maketrans("\ue000\ue001\ue002", "${}"))


@given(TEXTS, ENVIRONMENTS)
def test_expansion_agrees_with_an_independent_model(text: str, environ: dict[str, str]) -> None:
    expected = model(text, environ)
    if "\ue003" in expected:
        with pytest.raises(UnsetError):
            expand(text, environ)
    else:
        assert expand(text, environ).text == expected


@settings(max_examples=40, deadline=None)
@given(TEXTS, ENVIRONMENTS)
def test_expansion_agrees_with_the_shell(text: str, environ: dict[str, str]) -> None:
    shell = subprocess.run(
        ["/bin/sh", "-uc", f'printf %s "{text}"'],
        env={"LC_ALL": "C.UTF-8", **environ},
        capture_output=True,
        check=False,
    )
    if shell.returncode:
        with pytest.raises(UnsetError):
            expand(text, environ)
    else:
        assert expand(text, environ).text == shell.stdout.decode()


@given(st.text("${}A:-$ ?", max_size=20))
def test_any_text_is_expanded_or_refused_with_an_expansion_error(text: str) -> None:
    try:
        expand(text, {"A": "value"})
    except FormError as error:
        assert str(error)  # noqa: PT017 - any message will do
    assert expand(text.replace("$", "$$"), {}).text == text


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("plain", {}, Expanded("plain")),
        ("a$$b", {}, Expanded("a$b")),
        ("$${A}", {"A": "x"}, Expanded("${A}")),
        ("${A}", {"A": "x"}, Expanded("x", ("A",), ("A",))),
        ("${A}", {"A": ""}, Expanded("", ("A",), ("A",))),
        ("${A:-d}", {"A": ""}, Expanded("d", (), ("A",))),
        ("${A-d}", {"A": ""}, Expanded("", ("A",), ("A",))),
        ("${A-d}", {}, Expanded("d", (), ("A",))),
        ("${A:-${B:-x}}", {"B": "b"}, Expanded("b", ("B",), ("A", "B"))),
        ("${A:-${B}}", {"A": "a"}, Expanded("a", ("A",), ("A",))),
        ("${A:-http://h:1/?x={y}}", {}, Expanded("http://h:1/?x={y}", (), ("A",))),
        ("${A}/${A}/$$${B}", {"A": "1", "B": "2"}, Expanded("1/1/$2", ("A", "B"), ("A", "B"))),
    ],
)
def test_forms(text: str, environ: dict[str, str], expected: Expanded) -> None:
    assert expand(text, environ) == expected


def test_a_value_from_the_environment_is_not_expanded_again() -> None:
    assert expand("${A}", {"A": "${B}"}).text == "${B}"


def test_an_unset_variable_without_default_is_named() -> None:
    with pytest.raises(UnsetError, match=r"^the environment variable JWT_KEY is not set$"):
        expand("x${JWT_KEY}", {})


@pytest.mark.parametrize(
    "text", ["$", "$A", "${}", "${1A}", "${A:?no}", "${A:+x}", "${A:=x}", "${A B}", "cost: 5$"]
)
def test_other_uses_of_the_dollar_are_refused(text: str) -> None:
    with pytest.raises(FormError, match=r"is not understood; the forms are \$\{NAME\}"):
        expand(text, {"A": "x"})


def test_the_message_shows_the_form_and_no_more() -> None:
    with pytest.raises(FormError, match=r"^'\$\{A:\?no\}' is not"):
        expand("before ${A:?no} and after", {})


@pytest.mark.parametrize("text", ["${A:-x", "${A-${B}", "${A:-${B:?}}"])
def test_a_malformed_default_is_refused_even_where_it_is_not_wanted(text: str) -> None:
    with pytest.raises(FormError):
        expand(text, {"A": "set", "B": "set"})


def test_nesting_is_bounded() -> None:
    def nested(depth: int) -> str:
        return "${A:-" * depth + "}" * depth

    assert expand(nested(MAX_NESTING), {}).text == ""
    with pytest.raises(FormError, match="nested deeper than 20"):
        expand(nested(100_000), {})
