"""Markdown pages as lists of code blocks with their markers."""

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).parents[3]

SHELLS = ("console", "bash", "sh")
CHECKED = (*SHELLS, "python", "javascript", "yaml", "json", "toml")
PLAIN = ("text", "http", "ini", "dockerfile", "nginx", "sql", "html", "diff")
"""Languages of blocks that are shown, not checked."""

_MARKER = re.compile(r"<!--\s*(not run|file|in|tested by|output|exit)\b:?\s*(.*?)\s*-->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced code block; the markers are HTML comments on the line above it."""

    page: str
    line: int
    language: str
    text: str
    not_run: str | None = None
    """``<!-- not run: needs Docker -->``: why it cannot run in a test."""
    file: str | None = None
    """``<!-- file: my.yaml -->``: it is written to this file of the page's folder."""
    excerpt_of: str | None = None
    """``<!-- in: my_plugin.py -->``: it stands so in this file of the page's folder."""
    tested_by: str | None = None
    """``<!-- tested by: tests/... -->``: that test holds it to the code. Above no block, it speaks
    for all Python that follows on the page."""
    output: bool = False
    """``<!-- output -->``: it is what the block before it prints."""
    exit: int = 0
    """``<!-- exit 2 -->``: the exit code of its last command."""

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page for readers."""
    found = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    found += sorted((REPOSITORY / "docs").rglob("*.md"))
    return found + sorted((REPOSITORY / "examples").glob("*/README.md"))


def name(page: Path) -> str:
    """The page's path within the repository."""
    return page.relative_to(REPOSITORY).as_posix()


def blocks(page: str, text: str) -> list[Block]:
    """The code blocks of a page, in order; directives of the generator (``{toctree}``) are none."""
    found: list[Block] = []
    comment, for_all = "", ""
    for token in MarkdownIt().parse(text):
        if token.type == "html_block":
            comment += token.content
        elif token.type in ("fence", "code_block"):
            language = token.info.strip()
            if not language.startswith("{"):
                line = (token.map or [0])[0] + 1
                comment = comment or (for_all if language == "python" else "")
                found.append(_block(page, line, language, token.content, comment))
            comment = ""
        elif token.content:
            for_all = comment if "tested by:" in comment else for_all
            comment = ""
    return found


def _block(page: str, line: int, language: str, text: str, comment: str) -> Block:
    markers = dict(_MARKER.findall(comment))
    return Block(
        page=page,
        line=line,
        language=language,
        text=text,
        not_run=markers.get("not run"),
        file=markers.get("file"),
        excerpt_of=markers.get("in"),
        tested_by=markers.get("tested by"),
        output="output" in markers,
        exit=int(markers.get("exit", 0)),
    )


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a shell block, each with the output shown after it, if any.

    In ``console`` a command follows ``$ `` and goes on after a backslash and on ``> `` lines; a
    block of any other shell is one command without output.
    """
    if block.language != "console":
        return [(block.text, "")]
    found: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        command, shown = found[-1] if found else ("", "")
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif not found:
            raise ValueError(f"{block.place}: a console block begins with '$ '")
        elif not shown and (line.startswith("> ") or command.endswith("\\")):
            found[-1] = (f"{command}\n{line.removeprefix('> ')}", "")
        else:
            found[-1] = (command, f"{shown}{line}\n")
    return found
