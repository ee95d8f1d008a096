"""Write the files that are made from the code's tables."""

from __future__ import annotations

from setlist import Session, session


@session(backend="none", default=False)
def generate(s: Session) -> None:
    """Write the manual pages and the copies of the JSON schema."""
    from setlist.cli.man_pages import PAGES
    from setlist.registry import json_schema

    for name, page in PAGES.items():
        (s.root / "man" / name).write_text(page(), encoding="utf-8")
    for document, name in json_schema.FILES.items():
        path = s.root / "src" / "setlist" / "registry" / name
        path.write_text(json_schema.schema_text(document), encoding="utf-8")
