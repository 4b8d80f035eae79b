"""Every command and every snippet of README and docs works as it stands there."""

import os
import re
import shutil

import pytest
from snippets import matching, pages, running

PAGES = {pages.name(page): page.read_text(encoding="utf-8") for page in pages.pages()}
BLOCKS = [block for name, text in PAGES.items() for block in pages.blocks(name, text)]
NEEDS = ("Docker", "AWS", "Render", "the internet", "root", "a phone", "your own")
"""What a block that is not run may need; any other reason is none."""


@pytest.fixture
def read(tmp_path):
    """A function that goes through a page, given as text."""

    def go(text, name="page.md"):
        with running.Reader(tmp_path, name) as reader:
            for block in pages.blocks(name, text):
                reader.read(block)

    return go


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_followed_from_top_to_bottom(read, name):
    read(PAGES[name], name)


def test_node_is_there_for_the_javascript():
    if not shutil.which("node") and not os.environ.get("CI"):
        pytest.skip("JavaScript was not run: install Node 20 or newer (https://nodejs.org)")
    assert shutil.which("node")


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.not_run], ids=lambda b: b.place)
def test_what_is_not_run_says_what_it_needs(block):
    needed = re.fullmatch(r"needs (.+)", block.not_run)
    assert needed, f"{block.place}: write <!-- not run: needs ... -->"
    assert needed[1].startswith(NEEDS), f"{block.place}: {needed[1]!r} begins with none of {NEEDS}"


def test_most_blocks_are_run():
    runnable = [block for block in BLOCKS if block.language in pages.CHECKED]
    left_out = [block.place for block in runnable if block.not_run]
    assert len(left_out) <= len(runnable) / 3, left_out


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```\nfoodlog check\n```", "is none of"),
        ("```console\n$ false\n```", "exit code 1, not 0"),
        ("```bash\nfalse\ntrue\n```", "exit code 1, not 0"),
        ("<!-- exit 2 -->\n```console\n$ true\n```", "exit code 0, not 2"),
        ("```console\n$ echo one\ntwo\n```", "shown is\ntwo"),
        ("```console\n$ foodlog nosuch\n```", "exit code 2"),
        ("```console\n$ make nosuch\n```", "No rule to make target 'nosuch'"),
        ("```console\n$ exit 0\n```", "ended its interpreter"),
        ("```console\n$ echo 'open\n```", "unexpected EOF"),
        ("```console\necho\n```", "begins with '\\$ '"),
        ("```python\nraise ValueError('what is wrong')\n```", "what is wrong"),
        ("```python\nif\n```", "invalid syntax"),
        ("```python\nprint(1)\n```\n<!-- output -->\n```text\n2\n```", "shown is\n2"),
        ("<!-- output -->\n```text\n2\n```", "output of nothing"),
        ("```json\n{1}\n```", "Expecting property name"),
        ("```toml\na =\n```", "Invalid value"),
        ("```yaml\na: [\n```", "expected the node content"),
        ("```yaml\nservices: {}\n```", "no configuration"),
        ("```yaml\nstorage: {use: nosuch}\n```", "there is no storage provider 'nosuch'"),
        ("```yaml\nlimits: {photo_bites: 3}\n```", "photo_bites"),
        ("<!-- in: gunicorn.conf.py -->\n```python\nA = 1\n```", "not so in gunicorn.conf.py"),
        ("<!-- in: nosuch.py -->\n```python\nA = 1\n```", "not so in nosuch.py"),
        ("<!-- tested by: tests/nosuch.py -->\n```python\nA = 1\n```", "does not test page.md"),
        ("<!-- tested by: setup.cfg -->\n```python\nA = 1\n```", "does not test page.md"),
        ("```console\n$ pip install requests\n```", "beyond this test"),
        ("```console\n$ foodlog serve --config nosuch.yaml\n```", "nosuch.yaml"),
        ("```console\n$ curl -sf http://127.0.0.1:5000/nosuch\n```", "exit code 22"),
    ],
)
def test_what_is_wrong_on_a_page_is_found(read, text, complaint):
    with pytest.raises((running.Wrong, ValueError), match=complaint):
        read(text)


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node 20 or newer")
@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("throw new RangeError('wrong')", "RangeError: wrong"),
        ("await nosuch()", "ReferenceError: nosuch"),
        ("await Promise.reject(new Error('wrong'))", "Error: wrong"),
        ("const = 1", "SyntaxError"),
    ],
)
def test_wrong_javascript_is_found(read, code, complaint):
    with pytest.raises(running.Wrong, match=f"\n{complaint}"):
        read(f"```javascript\n{code}\n```")


@pytest.mark.parametrize(
    "text",
    [
        "```bash\nA=1\nmkdir b; cd b\n```\n```console\n$ echo $A ${PWD##*/}\n1 b\n```",
        "```python\nA = 1\n```\n```python\nprint(A)\n```\n<!-- output -->\n```text\n1\n```",
        "<!-- file: a/b.txt -->\n```text\nhello\n```\n```console\n$ cat a/b.txt\nhello\n```",
        "<!-- exit 3 -->\n```console\n$ true\n$ (exit 3)\n```",
        "```console\n$ cat <<END\n> hello\n> END\nhello\n```",
        "```console\n$ echo one \\\n  two\none two\n```",
        "<!-- not run: needs Docker -->\n```console\n$ docker nosuch\n```",
        '```json\n{"a": [1, …]}\n```',
        '```yaml\nclassifiers:\n- use: ml_service\n  options: {url: "${ML_SERVICE_URL}"}\n```',
        "```console\n$ STORAGE_BACKEND=aws foodlog aws init --yes\n```",
        "- in a list\n\n  ```console\n  $ echo 1\n  1\n  ```",
    ],
)
def test_what_is_right_on_a_page_is_taken(read, text):
    read(text)


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node 20 or newer")
def test_javascript_remembers_what_the_block_before_set(read):
    read("```javascript\nconst a = await 1;\n```\n```javascript\nif (a !== 1) throw a;\n```")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a … d", "a b c d"),
        ("a\n…\nd", "a\nb\nc\nd"),
        ("a\n...\nd", "a\nd"),
        ("at 2026-01-01T00:00:00Z", "at 2027-12-31T23:59:59.123456+00:00"),
        (f"id {'0' * 32}", f"id {'f' * 32}"),
        ("took 3 ms", "took 14 ms"),
        ("a\nb", "a  \nb\n\n"),
    ],
)
def test_what_varies_may_vary(shown, printed):
    assert matching.matches(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("a", "b"), ("a", "a\nb"), ("a\nb", "a"), ("a … d", "a b\nc d"), ("3 g", "4 g"), ("", "a")],
)
def test_what_does_not_vary_may_not(shown, printed):
    assert not matching.matches(shown, printed)
