"""The manual agrees with the code."""

from __future__ import annotations

import ast
import re
import shlex
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from setlist.cli.error_handler import BROKEN_PIPE, OUTPUT_LOST
from setlist.cli.options import VERBS, Option, parse
from setlist.cli.run import OPTIONS
from setlist.cli.run_defaults import variable_of
from setlist.cli.verbs import load_verb
from setlist.core import errors as errors_module
from setlist.core import limits
from setlist.core.errors import UsageError
from setlist.core.events import FORMAT, KINDS
from setlist.registry.keys import KEYS, PROJECT_KEYS, check_keys
from setlist.runner.session_api import SessionHandle
from setlist.scheduling.shards import parse_shard
from support.project import ProjectFolder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *sorted(DOCS.glob("*.md")),
    ROOT / "README.md",
    *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted(ROOT.glob("examples/*/README.md")),
]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def part(text: str, begin: str) -> str:
    """The text between ``<!-- BEGIN: … -->`` and ``<!-- end of BEGIN -->``."""
    match = re.search(rf"<!-- {begin}:.*?-->(.*?)<!-- end of {begin} -->", text, re.DOTALL)
    assert match is not None, f"no part {begin!r}"
    return match[1]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, without heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {index - 1 for index, line in enumerate(lines) if set(line) <= set("|- ")}
    body = [line for index, line in enumerate(lines) if index not in heads and not set(line) <= set("|- ")]
    return [[cell.strip().replace("\\|", "|") for cell in line.strip("|").split(" | ")] for line in body]


def names(cells: Iterable[str]) -> list[str]:
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def toml_value(text: str) -> object:
    return tomllib.loads(f"value = {text}")["value"]


def test_every_key_is_documented_with_its_type_and_meaning() -> None:
    documented = {row[0]: row[1:] for row in rows(part(page("sessions.md"), "keys"))}
    assert list(documented) == [f"`{name}`" for name in KEYS]
    for key in KEYS.values():
        assert documented[f"`{key.name}`"][:2] == [key.type.text, key.meaning]


@pytest.mark.parametrize("name", list(KEYS))
def test_the_example_of_a_key_is_right(name: str) -> None:
    documented = {row[0]: row[3] for row in rows(part(page("sessions.md"), "keys"))}
    check_keys({name: toml_value(documented[f"`{name}`"].strip("|` "))})


def test_every_key_of_the_project_is_told_with_its_type() -> None:
    documented = {row[0].strip("`"): row[1].replace("`", "") for row in rows(part(page("sessions.md"), "project keys"))}
    assert documented == {key.name: key.type.text for key in PROJECT_KEYS.values()}
    assert list(documented) == list(PROJECT_KEYS)


def test_the_variables_of_run_are_documented() -> None:
    documented = [tuple(cell.strip("`") for cell in row) for row in rows(part(page("variables.md"), "options"))]
    expected = [
        (variable_of(option), f"--{option.name}", option.name if option.name in PROJECT_KEYS else "")
        for option in OPTIONS
        if option.variable
    ]
    assert documented == expected


def option_rows(options: tuple[Option, ...]) -> list[list[str]]:
    expected = []
    for option in options:
        short = f"`-{option.short}`, " if option.short else ""
        metavar = f" {option.metavar}" if option.metavar else ""
        expected.append([f"{short}`--{option.name}{metavar}`", option.help])
    return expected


def option_table(text: str) -> list[list[str]]:
    match = re.search(r"\| option \| \|\n\| --- \| --- \|\n((?:\|.*\n)*)", text)
    return rows(match[1]) if match else []


def test_the_options_of_run_are_documented() -> None:
    section = page("commands.md").partition("## `setlist VERB")[0]
    assert option_table(section) == option_rows(OPTIONS)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "run"])
def test_a_verbs_usage_and_options_are_documented(verb: str) -> None:
    module = load_verb(verb)
    section = page("commands.md").partition(f"### `setlist {module.USAGE}`\n")[2].partition("\n### ")[0]
    assert option_table(section) == option_rows(module.OPTIONS)


def test_the_help_of_run_lists_the_options_of_the_manual(project: ProjectFolder) -> None:
    help_text = project.run("--help", check=True).out
    for spelling in re.findall(r"`(--[a-z-]+)", page("commands.md").partition("## `setlist VERB")[0]):
        assert spelling in help_text


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_field_of_an_event_is_documented(kind: str) -> None:
    section = page("events.md").partition(f"## `{kind}`\n")[2].partition("\n## ")[0]
    assert [row[0].strip("`") for row in rows(section)] == [
        field.name for field in fields(KINDS[kind]) if field.name != "time"
    ]


def test_every_documented_event_exists() -> None:
    assert re.findall(r"^## `(.+)`$", page("events.md"), re.MULTILINE) == list(KINDS)
    assert f"this is version {FORMAT}." in page("events.md")


def test_the_session_api_is_documented() -> None:
    documented = set(re.findall(r"`s\.(\w+)", part(page("functions.md"), "api")))
    attributes = set(re.findall(r"^ {4,8}(\w+): ", SessionHandle.__doc__ or "", re.MULTILINE))
    methods = {name for name in vars(SessionHandle) if not name.startswith("_")}
    assert attributes
    assert documented == methods | attributes


def test_the_json_of_list_is_documented(project: ProjectFolder) -> None:
    project.write("pyproject.toml", '[tool.setlist.session.lint]\nrun = ["python -V"]\n')
    printed = project.setlist("list", "--json", check=True).json["sessions"][0]
    documented = [name for row in rows(part(page("list.md"), "list")) for name in names(row[:1])]
    assert sorted(documented) == sorted(printed)


def test_the_json_of_lock_is_documented(project: ProjectFolder) -> None:
    project.write("pyproject.toml", '[tool.setlist.session.lint]\nrun = ["python -V"]\n')
    printed = project.setlist_inside("lock", "--json", check=True).json["sessions"][0]
    assert names(row[0] for row in rows(part(page("locks.md"), "lock"))) == list(printed)


def test_the_workflow_of_the_manual_is_the_one_that_runs_here() -> None:
    workflow = (ROOT / ".github" / "workflows" / "locks.yml").read_text(encoding="utf-8")
    comment, _, rest = workflow.partition("name: locks\n")
    documented = re.findall(r"```yaml\n(.*?)```\n", part(page("locks.md"), "workflow"), re.DOTALL)
    assert documented == ["name: locks\n" + rest]
    assert all(line.startswith("#") for line in comment.splitlines())


def test_the_action_of_the_manual_is_the_one_that_runs_here() -> None:
    action = (ROOT / "action.yml").read_text(encoding="utf-8")
    comment, _, rest = action.partition("\n")
    assert comment.startswith("#")
    assert re.findall(r"```yaml\n(.*?)```\n", part(page("ci.md"), "action"), re.DOTALL) == [rest]


@pytest.mark.parametrize("shards", [(), ("--shards", "1")])
def test_the_jobs_of_a_matrix_are_documented(project: ProjectFolder, shards: tuple[str, ...]) -> None:
    project.write("pyproject.toml", '[tool.setlist.session.lint]\nrun = ["python -V"]\n')
    documented = {row[0].strip("`"): row[1].strip("`") for row in rows(part(page("ci.md"), "jobs"))}
    omitted = {"session", "python"} if shards else {"shard", "sessions"}
    matrix = ("ci", "matrix", "--os", "a", *shards)
    (github,) = project.setlist_inside(*matrix, "--github", check=True).json["include"]
    (plain,) = project.setlist_inside(*matrix, "--json", check=True).json["jobs"]
    assert set(github) == set(plain) == documented.keys() - omitted
    gitlab = project.setlist_inside(*matrix, "--gitlab", check=True).out
    assert set(re.findall(r'"([A-Z_]+)":', gitlab)) == {documented[key] for key in github}


STAND_INS = {
    "${{ matrix.shard }}": "1/3",
    "$CI_NODE_INDEX/$CI_NODE_TOTAL": "1/3",
    "$NUMBER": "1",
    "${{ matrix.session }}": "lint",
    "K/N": "1/3",
}
"""Values for what a shell or a CI system replaces."""

COMMAND = re.compile(
    r"""(?:^|[`"(]|\$[ (]|&&|\|\||;|- |entry: |run: |CMD |RUN (?:--mount=\S+ )?)[ ]*
    (?:\S*/bin/)?(run|setlist)[ ]((?:'[^']*'|"[^"]*"|[^`"'#;|&)>\\])+)""",
    re.VERBOSE,
)
"""``run`` or ``setlist`` where a command begins, and its arguments up to where the command ends."""


def commands_in(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands ``run`` and ``setlist`` of a page's blocks and inline code, and the arguments of the action."""
    for name, value in STAND_INS.items():
        text = text.replace(name, value)
    fences = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
    blocks = [block for block in fences.findall(text) if block[0] in ("yaml", "sh", "console", "dockerfile", "")]
    lines = [(language, line) for language, block in blocks for line in block.splitlines()]
    lines += [("", code) for code in re.findall(r"(?<!`)`[^`\n]+`", fences.sub("", text))]
    for language, line in lines:
        step = re.fullmatch(r" +run: ((?:-|lint$).*)", line) if language == "yaml" else None
        if step is not None:
            yield "run", shlex.split(step[1])
        for command, words in COMMAND.findall(line):
            # 'run = […]' is a key, and what stands for a word isn't one
            if not re.match(r"=|\W*…|\[", words) and "…" not in words:
                found = shlex.split(words)
                # a mention of an option leaves out its value
                mentioned = bool(found) and found[-1].startswith("-") and "=" not in found[-1]
                yield command, [*found, "1/3"] if mentioned else found


def test_the_commands_of_the_ci_page_are_found() -> None:
    assert len(list(commands_in(page("ci.md")))) > 15


REFUSED = (["test", "--maxfail=1"],)
"""Commands that a page names because they are refused."""


# the changelog tells of commands that were typed out of habit, and of earlier ones
@pytest.mark.parametrize("path", [path for path in PAGES if path.name != "CHANGELOG.md"], ids=lambda path: path.name)
def test_the_commands_of_a_page_are_ones_that_are_accepted(path: Path) -> None:
    for command, words in commands_in(path.read_text(encoding="utf-8")):
        if words in REFUSED:
            with pytest.raises(UsageError):
                parse(words, OPTIONS, command="run")
        elif command == "run":
            arguments = parse(words, OPTIONS, command="run")
            for shard in arguments.values("shard"):
                parse_shard(shard)
        elif not words[0].startswith("-") and words[0] not in ("VERB", "help"):
            assert words[0] in VERBS
            options = OPTIONS if words[0] == "run" else load_verb(words[0]).OPTIONS
            parse(words[1:], options, command=f"setlist {words[0]}")


def test_every_variable_of_setlist_is_documented() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")]
    used = {name for text in sources for name in re.findall(r'"(SETLIST_[A-Z]+(?:_[A-Z]+)*)"', text)}
    text = page("variables.md")
    assert used == {name for name in names([part(text, "variables"), part(text, "set")]) if name.startswith("SETLIST")}


def test_a_session_has_the_variables_that_are_documented(project: ProjectFolder) -> None:
    program = "import os, sys; sys.exit([name for name in sys.argv[1:] if name not in os.environ] or 0)"
    documented = names(row[0] for row in rows(part(page("variables.md"), "set")))
    project.write(
        "pyproject.toml",
        f"[tool.setlist.session.a]\nrun = [['python', '-c', '{program}', {str(documented)[1:-1]}]]\n"
        "[tool.setlist.session.b]\nextends = 'a'\nrun = ['python -V']\n",
    )
    project.run("-j", "2", check=True)


def test_every_exit_code_is_documented() -> None:
    documented = {int(code) for row in rows(page("exit-codes.md")) for code in re.findall(r"\d+", row[0])}
    used = {0, OUTPUT_LOST, BROKEN_PIPE} | {128 + number for number in (signal.SIGINT, signal.SIGTERM)}
    errors = (value for value in vars(errors_module).values() if isinstance(value, type))
    used |= {error.exit_code for error in errors if issubclass(error, errors_module.SetlistError)}
    assert used <= documented


def test_every_file_of_a_run_is_documented(project: ProjectFolder) -> None:
    project.write("pyproject.toml", '[tool.setlist.session.lint]\ncwd = "{tmp}"\nrun = ["python -V"]\n')
    project.run("--report", "report.json", check=True)
    documented = re.findall(r"^\| `\.setlist/\.tox/(\w+)/", page("files.md"), re.MULTILINE)
    state = project.path / ".setlist" / ".tox"
    found = {entry.name for entry in state.iterdir() if entry.is_dir() and any(entry.iterdir())}
    assert found <= set(documented)
    assert len(found) > 3


def test_the_documented_messages_are_those_of_the_code() -> None:
    sources = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src").rglob("*.py")]
    strings = {node.value for tree in sources for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    text = "\n".join(string for string in strings if isinstance(string, str))
    documented = [row[0].strip("`") for row in rows(part(page("troubleshooting.md"), "messages"))]
    assert len(documented) > 30
    foreign = {"Multiple top-level packages discovered"}
    for message in sorted({*documented} - foreign):
        for piece in re.split(r"…|python 3\.12|noxfile\.py", message):
            assert piece.strip(" :") in text, message


def test_the_readme_is_short_and_shows_the_board() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) < 120
    assert "](docs/board.svg)" in readme
    assert "1/8 done" in (DOCS / "board.svg").read_text(encoding="utf-8").replace("&#160;", " ")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_rows_of_tables_have_as_many_cells_as_their_heads(path: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        # a bar within code divides cells as well, unless it is escaped
        bars = [len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()]
        wrong = [line for line, count in zip(table.splitlines(), bars, strict=True) if count != bars[0]]
        assert wrong == []


def anchors(path: Path) -> set[str]:
    """The fragments by which the headings of a page can be linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_fragments_of_links_are_headings(path: Path) -> None:
    for target, fragment in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", path.read_text(encoding="utf-8")):
        assert fragment in anchors(path.parent / target if target else path), f"{target}#{fragment}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_toml_in_the_manual_defines_sessions(path: Path, project: ProjectFolder) -> None:
    for block in re.findall(r"```toml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
        project.write("pyproject.toml", block)
        listed = project.setlist_inside("list", "--json", check=True)
        assert listed.json["sessions"] or "[tool.setlist" not in block


def test_every_page_is_in_the_table_of_contents() -> None:
    documented = re.findall(r"^\| \[.+?\]\((.+?)\) \|", page("index.md"), re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == {path.name for path in DOCS.glob("*.md")} - {"index.md"}


def test_every_module_is_in_the_architecture() -> None:
    source = ROOT / "src" / "setlist"
    modules = {path.relative_to(source).as_posix() for path in source.rglob("*.py") if path.name != "__init__.py"}
    documented = set(re.findall(r"^\| `(\S+\.py)` \|", page("architecture.md"), re.MULTILINE))
    assert documented == modules


def test_the_layers_are_those_that_lint_checks() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    layers = toml_value("[" + pyproject.partition("\nlayers = [")[2].partition("\n]")[0] + "\n]")
    documented = page("architecture.md").partition("```\n__main__")[2].partition("```")[0]
    listed = [re.split(r"\s{2,}", line)[0].split(", ") for line in ("__main__" + documented).splitlines()]
    assert isinstance(layers, list)
    assert listed == [layer.split(" | ") for layer in layers]


def test_the_limits_are_those_of_the_code() -> None:
    table = page("sessions.md").partition("## Limits\n")[2]
    stated = re.findall(r"^\| .* \| ([\d,]+)(?: (deep|MiB))? \|$", table, re.MULTILINE)
    values = {int(number.replace(",", "")) << (20 if unit == "MiB" else 0) for number, unit in stated}
    assert values == {value for name, value in vars(limits).items() if name.isupper()}
