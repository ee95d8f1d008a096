"""``setlist exec``: the command sees the environment variables that ``run`` gives to commands."""

from __future__ import annotations

import json
import sys

import pytest

from support.project import ProjectFolder

SHOW = "import json, os; open('shown.json', 'w').write(json.dumps(dict(os.environ)))"

VARYING = {"SETLIST_PROCESS", "TEMPORARY"}
"""Variables that are different in each run: the marker of its processes, and the temporary directory."""


@pytest.mark.parametrize("backend", ["none", "virtualenv"])
@pytest.mark.parametrize("inherited", ["true", "false", '["KEPT_*"]'])
def test_exec_sees_the_variables_of_run(project: ProjectFolder, backend: str, inherited: str) -> None:
    project.write("show.py", SHOW)
    project.sessions(f"""
        [tool.setlist.session.it]
        backend = "{backend}"
        inherit-env = {inherited}
        external = ["python"]
        matrix = {{ size = ["small"] }}
        run = "python show.py"
        [tool.setlist.session.it.env]
        TOKEN = "{{env:OUTSIDE}}"
        COPY = "{{env:TOKEN}} {{size}} {{python}}"
        PLACE = "{{envdir}} {{project}}"
        WORDS = "{{posargs:none}}"
        TEMPORARY = "{{tmp}}"
        PYTHONPATH = "{{env:PYTHONPATH:}}/mine"
    """)
    environ = {"OUTSIDE": "secret", "KEPT_BACK": "1", "PYTHONPATH": "/elsewhere"}
    project.run_inside("it-size-small", env=environ, check=True)
    in_run = json.loads(project.read("shown.json"))
    project.setlist_inside("exec", "it-size-small", "--", "python", "show.py", env=environ, check=True)
    in_exec = json.loads(project.read("shown.json"))
    assert in_run.keys() > VARYING
    assert {**in_exec, **{name: in_run[name] for name in VARYING}} == in_run
    assert in_exec["TOKEN"] == "secret"


@pytest.mark.skipif(
    sys.platform == "win32", reason="GNU make on Windows takes a semaphore, and setlist has only the pipe of POSIX"
)
def test_exec_gives_a_jobserver_as_run_does(project: ProjectFolder) -> None:
    project.write(
        "show.py",
        """
        import os, re
        reading, writing = map(int, re.search(r"--jobserver-auth=([0-9]+),([0-9]+)", os.environ["MAKEFLAGS"]).groups())
        os.fstat(reading), os.fstat(writing)
        open("shown.txt", "a").write("there\\n")
        """,
    )
    project.sessions("""
        [tool.setlist.session.it]
        backend = "none"
        jobserver = true
        run = "python3 show.py"
    """)
    project.run_inside("it", check=True)
    project.setlist_inside("exec", "it", "--", "python3", "show.py", check=True)
    assert project.read("shown.txt") == "there\nthere\n"
