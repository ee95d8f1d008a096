"""The manual pages: current, complete, and free of what formatters warn about."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from setlist.cli import run
from setlist.cli.man_pages import PAGES
from setlist.cli.options import VERBS
from setlist.cli.verbs import load_verb

MAN = Path(__file__).resolve().parents[2] / "man"


@pytest.mark.parametrize("name", list(PAGES))
def test_the_committed_page_is_current(name: str) -> None:
    assert (MAN / name).read_text(encoding="utf-8") == PAGES[name](), "run generate"


def unescaped(text: str) -> str:
    return text.replace("\\-", "-").replace("\\(aq", "'").replace("\\&", "").replace("\\[u2026]", "…")


def test_every_option_and_verb_has_its_place() -> None:
    text = unescaped(PAGES["run.1"]())
    for option in run.OPTIONS:
        assert f"--{option.name}" in text
    text = unescaped(PAGES["setlist.1"]())
    for verb in VERBS:
        usage = run.USAGE if verb == "run" else load_verb(verb).USAGE
        assert f'.SS "setlist {usage}"' in text


@pytest.mark.parametrize("name", list(PAGES))
def test_a_formatter_has_nothing_to_warn_about(name: str) -> None:
    checks = {
        "mandoc": ["mandoc", "-T", "lint", "-W", "warning"],
        "man": ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"],
    }
    if sys.platform != "linux":
        del checks["man"]  # another program of that name
    present = {program: command for program, command in checks.items() if shutil.which(program)}
    if not present:
        pytest.skip("neither mandoc nor man is installed: .ci/run installs mandoc, Windows has none")
    for program, command in present.items():
        checked = subprocess.run([*command, str(MAN / name)], capture_output=True, text=True, timeout=60, check=False)
        said = checked.stdout if program == "mandoc" else checked.stderr
        # the version says of when a page is
        warnings = [line for line in said.splitlines() if "missing date" not in line]
        assert warnings == [], program


@pytest.mark.parametrize("name", list(PAGES))
def test_a_page_is_plain_roff(name: str) -> None:
    text = PAGES[name]()
    assert text.isascii()
    requests = set(re.findall(r"^[.']\w*", text, re.MULTILINE))
    assert requests <= {".", ".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".I", ".BR", ".nf", ".fi"}
