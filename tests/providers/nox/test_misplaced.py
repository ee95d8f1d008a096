"""``@nox.session`` among the session files, where nox doesn't see it."""

from __future__ import annotations

import pytest

from setlist.providers.nox.definitions import misplaced
from support.project import ProjectFolder

NOX = """
import nox

@nox.session(python="3.11")
def lint(session):
    session.run("ruff")
"""


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("import nox\n@nox.session\ndef a(s): ...\n", 2),
        ("import nox\n@nox.parametrize('a', [1])\n@nox.session(tags=['x'])\ndef a(s): ...\n", 3),
        ("from nox import session\n@session\ndef a(s): ...\n", 2),
        ("from nox import session as declared\n@declared(name='b')\ndef a(s): ...\n", 2),
        ("import nox\nfrom setlist import session\n@session\ndef a(s: nox.Session): ...\n", None),
        ("from setlist import session\n# @nox.session\n@session\ndef a(s): ...\n", None),
        ("import nox\n@nox.session\n", None),
    ],
)
def test_the_first_decorator_of_nox_is_found(source: str, line: int | None) -> None:
    found = misplaced(source.encode())
    assert (found and found[0]) == line


def test_in_a_file_that_declares_sessions_it_is_an_error(project: ProjectFolder) -> None:
    project.write("sessions/a.py", f"from setlist import session as ours\n{NOX}\n@ours\ndef docs(s): ...\n")
    result = project.run_inside("--list")
    assert result.code == 2
    assert result.err.splitlines() == [
        "error: sessions/a.py:5: @nox.session declares no session in this file: only nox knows it",
        "hint: write 'from setlist import session' and @session; or move the function to noxfile.py",
    ]


def test_in_another_file_it_is_a_warning(project: ProjectFolder) -> None:
    project.sessions("[tool.setlist.session.docs]\nbackend = 'none'\n")
    project.write("sessions/a.py", NOX)
    result = project.run_inside("docs", check=True)
    assert "warning: sessions/a.py:3: @nox.session declares no session in this file" in result.err
    assert "move the function to noxfile.py" in result.err
    project.write("noxfile.py", "from sessions import a\n")
    project.write("sessions/b.py", "import nox\n")
    assert "warning" not in project.run_inside("docs", check=True).err, "a noxfile may import it"
