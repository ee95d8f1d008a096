"""What only a shell understands is told where a command is defined, and what is an argument is left alone."""

from __future__ import annotations

import pytest

from setlist.registry.keys import check_command, check_commands
from setlist.registry.validators import ValidationError
from support.project import ProjectFolder


@pytest.mark.parametrize(
    ("command", "what", "hint"),
    [
        ("git log | head", "holds the shell's '|'", 'write a table: { cmd = "…", shell = true }'),
        ("rm -rf build && cp -r src tests", "holds the shell's '&&'", "write a list of commands"),
        ("pytest || true", "holds the shell's '||'", "allow-failure = true"),
        ("ruff check; mypy", "holds the shell's ';'", "write a list of commands"),
        ("ruff check ; mypy", "holds the shell's ';'", "write a list of commands"),
        ("python -m http.server &", "holds the shell's '&'", "shell = true"),
        ("coverage json > out.json", "holds the shell's '>'", 'stdout = "FILE"'),
        ("coverage json >out.json", "holds the shell's '>out.json'", 'stdout = "FILE"'),
        ("pytest 2>&1", "holds the shell's '2>&1'", 'stdout = "FILE"'),
        ("pytest 2>/dev/null", "holds the shell's '2>/dev/null'", 'stdout = "FILE"'),
        ("psql < dump.sql", "holds the shell's '<'", "shell = true"),
        ("pytest --basetemp $HOME/tmp", "holds the shell's '$HOME'", "write {env:HOME}; or quote the word"),
        ("pytest --basetemp=$TMPDIR", "holds the shell's '$TMPDIR'", "write {env:TMPDIR}"),
        ("pytest $@", "holds the shell's '$@'", "write {posargs}"),
        ("mypy $(git ls-files)", "holds the shell's '$('", "shell = true"),
        ("mypy `git ls-files`", "holds the shell's '`'", "shell = true"),
        ("DEBUG=1 pytest", "sets DEBUG for one command", 'env = { DEBUG = "1" }'),
        ("cd docs", "begins with the shell's 'cd'", "set the key cwd"),
        ("export A=1", "begins with the shell's 'export'", "set the variable in the key env"),
        ("source .venv/bin/activate", "begins with the shell's 'source'", "active already"),
        ("- pytest", "begins with '-'", "allow-failure = true"),
        ("-pytest", "begins with '-'", "allow-failure = true"),
        ("! git grep x", "begins with '!'", "ok-codes = [1]"),
        ("@echo x", "begins with '@'", "run -q"),
        ("pytest {posargs:-x} | cat", "holds the shell's '|'", "shell = true"),
    ],
)
def test_what_only_a_shell_understands(command: str, what: str, hint: str) -> None:
    for value in (command, {"cmd": command}):
        with pytest.raises(ValidationError) as caught:
            check_command(value)
        assert what in caught.value.message
        assert hint in (caught.value.hint or "")
    assert check_command({"cmd": command, "shell": True})["cmd"] == [command]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("pytest -k \"a and b\" -m 'not slow'", ["pytest", "-k", "a and b", "-m", "not slow"]),
        ('python -c "import a; a.b(); print(1 > 2 | 3)"', ["python", "-c", "import a; a.b(); print(1 > 2 | 3)"]),
        ('pip install "x>1" y>=2 z<3', ["pip", "install", "x>1", "y>=2", "z<3"]),
        ("echo '|' \\&\\& \";\" '$HOME' \\$HOME", ["echo", "|", "&&", ";", "$HOME", "$HOME"]),
        ('sh -c "cd docs && echo $HOME > out"', ["sh", "-c", "cd docs && echo $HOME > out"]),
        ("find . -name *.pyc -exec rm {{}} ;", ["find", ".", "-name", "*.pyc", "-exec", "rm", "{{}}", ";"]),
        ("ssh host make && true", ["ssh", "host", "make", "&&", "true"]),
        ("sed -i $d file", ["sed", "-i", "$d", "file"]),
        ("twine upload dist/*", ["twine", "upload", "dist/*"]),
        ("echo a|b a;b a&b a$ ^$ R&D -> => ~/x tests/a.py::B[1]", None),
        ("pytest {posargs:-k 'a | b' $X; y}", ["pytest", "{posargs:-k 'a | b' $X; y}"]),
        ("pytest --cov=src", ["pytest", "--cov=src"]),
    ],
)
def test_what_is_an_argument(command: str, words: list[str] | None) -> None:
    assert check_command(command) == {"cmd": command.split() if words is None else words}


def test_a_list_of_words_is_taken_as_it_is() -> None:
    words = ["echo", "|", "$HOME", ">", "x"]
    assert check_commands([words]) == [{"cmd": words}]


def test_the_error_has_its_file_and_line(project: ProjectFolder) -> None:
    project.sessions("""
        [tool.setlist.session.all]
        backend = "none"
        run = "ruff check && mypy"
    """)
    result = project.run_inside()
    assert result.code == 2
    where, hint = result.err.splitlines()
    assert ": tool.setlist.session.all.run: the command 'ruff check && mypy' holds the shell's '&&'" in where
    assert where.startswith("error: pyproject.toml:")
    assert hint.startswith('hint: write a list of commands: run = ["…", "…"]')
