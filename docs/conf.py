"""Build the manual as a site, with Sphinx, MyST and Furo. 'run docs' does it."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "setlist"
author = "The setlist authors"
version = release = version_of("setlist")
root_doc = "index"
extensions = ["myst_parser"]
exclude_patterns = ["recordings/*"]
nitpicky = True

# headings have the fragments that GitHub gives them, so a link works in both places
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"setlist {version}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]


def setup(app: Sphinx) -> None:
    """Adapt the pages to the site as they are read."""
    app.connect("source-read", name_pages)
    app.connect("source-read", add_navigation)


def name_pages(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Show the title of a page where its file name is the text of a link."""
    source[0] = re.sub(r"\[[\w-]+\.md\](?=\([\w-]+\.md)", "[]", source[0])


def add_navigation(_app: Sphinx, name: str, source: list[str]) -> None:
    """Append a table of contents for each section of index.md whose table begins with links to pages."""
    if name != root_doc:
        return
    for section in source[0].split("\n## ")[1:]:
        caption = section.partition("\n")[0]
        if pages := re.findall(r"^\| \[[^]]*\]\(([\w-]+)\.md\)", section, re.MULTILINE):
            source[0] += "\n".join(["\n```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])
