"""How Sphinx makes the site from the pages of this folder: ``make docs``."""

from importlib.metadata import version as installed

project = "FoodLog"
author = "The FoodLog authors"
copyright = "2026, The FoodLog authors"  # noqa: A001 - Sphinx's name
version = release = installed("foodlog")

extensions = ["myst_parser"]
exclude_patterns = ["released"]
myst_heading_anchors = 3
nitpicky = True
# Prompts that go on over several lines, and … in JSON, are beyond the highlighter.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"FoodLog {release}"
html_extra_path = ["openapi.yaml"]
html_copy_source = False
