"""Sessions about texts: posargs, the cache that sessions share, and one that requires another."""

from __future__ import annotations

import json

from setlist import Session, session


@session
def words(s: Session) -> None:
    """Count the words of the named files (README.md unless told)."""
    names = s.posargs or ["README.md"]
    counts = {name: len((s.root / name).read_text(encoding="utf-8").split()) for name in names}
    for name, count in counts.items():
        s.log(f"{name}: {count} words")
    (s.cache_dir / "words.json").write_text(json.dumps(counts), encoding="utf-8")


@session(requires=["words"])
def digest(s: Session) -> None:
    """Print how many words 'words' counted in all."""
    program = "import json, sys; print(sum(json.load(open(sys.argv[1])).values()), 'words in all')"
    s.run("python", "-c", program, s.cache_dir / "words.json")
