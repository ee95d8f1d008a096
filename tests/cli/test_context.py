"""Log records reach the terminal when they are asked for, once, coloured where colour is wanted."""

from __future__ import annotations

import io
import logging

import pytest

from setlist.cli.context import show_diagnostics
from setlist.reports.terminal import Terminal
from support.project import ProjectFolder


@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [(1, ["INFO setlist.x: two"]), (2, ["DEBUG setlist.x: one", "INFO setlist.x: two"])],
)
def test_more_is_shown_the_more_is_asked_for(verbosity: int, shown: list[str]) -> None:
    stream = io.StringIO()
    undo = show_diagnostics(Terminal(stream), verbosity)
    logging.getLogger("setlist.x").debug("one")
    logging.getLogger("setlist.x").info("two")
    logging.getLogger("elsewhere").info("three")
    undo()
    logging.getLogger("setlist.x").debug("four")
    assert stream.getvalue().splitlines() == shown


def test_the_libraries_are_heard_from_the_third_on() -> None:
    stream = io.StringIO()
    undo = show_diagnostics(Terminal(stream, color=True), 3)
    logging.getLogger("elsewhere").info("three")
    undo()
    assert "elsewhere: three" in stream.getvalue()
    assert "\x1b[" in stream.getvalue()


def test_a_command_leaves_the_loggers_as_they_were(project: ProjectFolder) -> None:
    project.sessions('[tool.setlist.session.bare]\nbackend = "none"\n')
    before = [(logger.level, list(logger.handlers)) for logger in (logging.getLogger(), logging.getLogger("setlist"))]
    project.run_inside("-v", check=True)
    project.run_inside("-vvv", check=True)
    after = [(logger.level, list(logger.handlers)) for logger in (logging.getLogger(), logging.getLogger("setlist"))]
    assert after == before
