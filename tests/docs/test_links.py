"""What the pages point at is there, and the site is made without a warning."""

import re
import subprocess
import sys
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from snippets import pages

PAGES = pages.pages()
OUTSIDE = ("http://", "https://", "mailto:")


def targets(page):
    """Where the page's links and images lead."""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield target


def anchors(page):
    """The anchors of the page's headings, as GitHub and the site make them."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    headings = [tokens[n + 1].content for n, t in enumerate(tokens) if t.type == "heading_open"]
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_every_link_within_the_repository_leads_somewhere(page):
    for target in targets(page):
        if target.startswith(OUTSIDE):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.is_relative_to(pages.REPOSITORY), f"{target} leads out of the repository"
        assert found.exists(), f"{target} leads nowhere"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{target}: there is no such heading"


def test_links_are_looked_at():
    links = [target for page in PAGES for target in targets(page)]
    assert "docs/quickstart.md" in links
    assert "operating.md#health-and-readiness" in links


def test_the_site_is_made_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
    made = subprocess.run(
        [*command, "-d", tmp_path / "cache", pages.REPOSITORY / "docs", tmp_path / "site"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "site" / "quickstart.html").stat().st_size > 1000
