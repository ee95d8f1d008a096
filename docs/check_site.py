"""Check a built site: each link within it leads to a file, and to a place in it. 'run docs' does it.

Sphinx checks what the pages say. This checks what a browser gets, the theme's links, pictures and styles too, and that
a page loads nothing from elsewhere.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page links to, what it loads, and the places that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.places: set[str] = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one tag."""
        values = {name: value or "" for name, value in attrs}
        self.places.add(values.get("id", ""))
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        elif tag in ("img", "script", "link"):
            self.loaded.add(values.get("src") or values.get("href", ""))


def problems(site: Path) -> list[str]:
    """What is wrong with a site, one line each."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    found = [f"{site}: no pages"] if site / "index.html" not in pages else []
    for path, page in pages.items():
        name = path.relative_to(site)
        found += [f"{name}: loads {target}" for target in page.loaded if urlsplit(target).netloc]
        for target in sorted(page.links | page.loaded):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            linked = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not linked.is_file():
                found.append(f"{name}: {target} leads nowhere")
            elif linked in pages and unquote(parts.fragment) not in pages[linked].places:
                found.append(f"{name}: {target} leads to no place in it")
    return found


if __name__ == "__main__":
    sys.exit("\n".join(problems(Path(sys.argv[1]).resolve())) or 0)
