"""What requests mean, and which interpreters answer them."""

from __future__ import annotations

import pytest

from setlist.core.errors import ConfigurationError
from setlist.core.model import Interpreter
from setlist.environment.interpreter_spec import Request, parse_request


def interpreter(
    version: str = "3.12.4",
    implementation: str = "cpython",
    *,
    free_threaded: bool = False,
    machine: str = "x86_64",
    executable: str = "/opt/python/bin/python",
) -> Interpreter:
    return Interpreter(executable, version, implementation, free_threaded, machine, "signature", "by its path")


@pytest.mark.parametrize(
    ("text", "implementation", "release", "free_threaded"),
    [
        ("3", "cpython", (3,), False),
        ("3.12", "cpython", (3, 12), False),
        ("3.12.1", "cpython", (3, 12, 1), False),
        ("3.13t", "cpython", (3, 13), True),
        ("python3.12", "cpython", (3, 12), False),
        ("python", "cpython", (), False),
        ("cpython-3.12", "cpython", (3, 12), False),
        ("cpython@3.12", "cpython", (3, 12), False),
        ("py312", "cpython", (3, 12), False),
        ("py39", "cpython", (3, 9), False),
        ("PyPy3.11", "pypy", (3, 11), False),
        ("pypy", "pypy", (), False),
        ("graalpy", "graalpy", (), False),
        (" 3.12 ", "cpython", (3, 12), False),
    ],
)
def test_versions_are_understood(text: str, implementation: str, release: tuple[int, ...], free_threaded: bool) -> None:
    assert parse_request(text) == Request(text, implementation, release, free_threaded=free_threaded)


def test_a_number_of_thousands_of_digits_is_no_version() -> None:
    with pytest.raises(ConfigurationError, match="doesn't say which Python"):
        parse_request("3." + "9" * 5_000)


@pytest.mark.parametrize(
    ("text", "implementation", "specifier", "free_threaded"),
    [
        (">=3.10", "cpython", ">=3.10", False),
        (">=3.10,<3.13", "cpython", ">=3.10,<3.13", False),
        ("==3.12.*", "cpython", "==3.12.*", False),
        ("~=3.11", "cpython", "~=3.11", False),
        ("pypy>=3.9", "pypy", ">=3.9", False),
        (">=3.13t", "cpython", ">=3.13", True),
        ("pypy >=3.9", "pypy", ">=3.9", False),
    ],
)
def test_ranges_are_understood(text: str, implementation: str, specifier: str, free_threaded: bool) -> None:
    assert parse_request(text) == Request(text, implementation, specifier=specifier, free_threaded=free_threaded)


@pytest.mark.parametrize(
    "text", ["/usr/bin/python3", "./env", "../python/bin/python", "~/py/bin/python", r"C:\py\python.exe", "a/b", "."]
)
def test_what_has_a_separator_is_a_path(text: str) -> None:
    assert parse_request(text) == Request(text, path=text)


@pytest.mark.parametrize(
    "text",
    [
        "3.x",
        "banana",
        "",
        "t",
        "-64",
        "3.12.1.4",
        "v3.12",
        "3.12-potato",
        ">=banana",
        "=>3.10",
        ">=",
        "3.13tt",
        "~3.11",
        "pypy>=banana",
        "pypyt",
    ],
)
def test_what_says_no_version_is_the_users_mistake(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_request(text)
    assert repr(text) in str(caught.value)
    assert "'3.12'" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("request_text", "answers"),
    [
        ("3", True),
        ("3.12", True),
        ("3.12.4", True),
        ("3.12.1", False),
        ("3.1", False),
        ("3.11", False),
        ("3.12t", False),
        ("pypy3.12", False),
        (">=3.10", True),
        (">=3.12.4", True),
        (">=3.12.5", False),
        ("<3.12", False),
        ("!=3.12.4", False),
        ("==3.12.*", True),
        (">3.12", True),
        ("==3.12", False),
        (">=3.12-32", False),
        ("3.12-64", True),
        ("3.12-32", False),
        ("3.12-amd64", True),
        ("3.12-arm64", False),
    ],
)
def test_an_interpreter_answers_what_is_asked_for(request_text: str, answers: bool) -> None:
    assert parse_request(request_text).accepts(interpreter("3.12.4")) is answers


def test_a_free_threaded_build_answers_only_when_it_is_asked_for() -> None:
    build = interpreter("3.13.1", free_threaded=True)
    assert parse_request("3.13t").accepts(build)
    assert parse_request(">=3.13t").accepts(build)
    assert not parse_request("3.13").accepts(build)
    assert not parse_request(">=3.10").accepts(build)


def test_a_32_bit_machine_answers_by_width() -> None:
    build = interpreter(machine="x86")
    assert parse_request("3.12-32").accepts(build)
    assert parse_request("3.12-i686").accepts(build)
    assert not parse_request("3.12-64").accepts(build)


@pytest.mark.parametrize(
    ("text", "known", "may"),
    [
        (">=3.10.2", (3, 10), True),
        (">=3.10.2", (3, 9), False),
        ("<3.10", (3, 10), False),
        ("!=3.10.3", (3, 10), True),
        ("3.12.1", (3, 12), True),
        ("3.12.1", (3,), True),
        ("3.12", (), True),
        (">=3.10", (), True),
        (">=3.10", (3,), True),
        (">3.10", (3, 10), True),
        ("==3.10", (3, 10), True),
        ("==3.10", (3, 10, 1), False),
        ("<3", (2,), True),
    ],
)
def test_a_version_known_in_part_gets_the_benefit_of_the_doubt(text: str, known: tuple[int, ...], may: bool) -> None:
    assert parse_request(text).accepts_release(known) is may
