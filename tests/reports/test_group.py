"""Blocks: whole, each when its session ends."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setlist.core.events import Event, Message, SessionFinished
from setlist.reports.group import Group
from setlist.reports.output_buffer import IN_MEMORY, Spool, Streams
from setlist.reports.terminal import Terminal
from support.told import Pipe, Tty, began, done, ended, installing, ready, run, running, typed, wrote


def shown(events: list[Event], stream: Pipe | None = None, **options: object) -> str:
    """What comes out where both streams are one."""
    stream = stream or Pipe()
    terminal = Terminal(stream)
    group = Group(terminal, terminal, **options)  # type: ignore[arg-type]
    for event in events:
        group(event)
    group.close()
    return stream.text


def whole(session: str, *data: str) -> list[Event]:
    return [
        began(session),
        ready(session),
        typed(session),
        *(wrote(session, text) for text in data),
        done(session),
        ended(session),
    ]


def block(session: str, data: str) -> str:
    return f"{session}  python 3.11.7 · reused\n  $ tool\n{data}{session}  ok  0.4s\n"


def test_each_block_is_written_when_its_session_ends() -> None:
    b, a = whole("b", "of b\n"), whole("a", "of a\n")
    text = shown(run("a", "b")(*b, *a))
    assert text == (
        "b  started\n"
        + block("b", "of b\n")
        + "a  started\n"
        + block("a", "of a\n")
        + "a  ok  0.4s\nb  ok  0.4s\n2 ok in 3.0s\n"
    )


def test_a_long_first_session_holds_nothing_back() -> None:
    stream = Pipe()
    group = Group(Terminal(stream), Terminal(stream))
    for event in run("long", "b")(began("long"), wrote("long", "kept"), *whole("b", "of b\n"))[:-1]:
        group(event)
    assert stream.text == "long  started\nb  started\n" + block("b", "of b\n")
    group(ended("long"))
    assert stream.text.endswith("b  ok  0.4s\nkept\nlong  ok  0.4s\n")


def test_what_runs_alone_flows() -> None:
    for names, jobs in ((("a", "b"), 1), (("a",), 2)):
        stream = Pipe()
        group = Group(Terminal(stream), Terminal(stream))
        for event in run(*names, jobs=jobs)(began("a"), wrote("a", "one"))[:-1]:
            group(event)
        assert stream.text == "one"


def test_a_session_that_is_skipped_ends_the_line_that_it_started() -> None:
    text = shown(run("a", "b")(began("a"), ended("a", "skipped", "no python"), *whole("b", "x\n")))
    assert text.startswith("a  started\na  skipped  no python\nb  started\n")


DATA = st.text(st.sampled_from("ab\n\r\x1b[31m0;漢é\udc80"), max_size=12)


@given(st.data())
def test_nothing_is_lost_and_nothing_mixed(data: st.DataObject) -> None:
    names = ["a", "b", "c"]
    texts = {name: data.draw(st.lists(DATA, max_size=4)) for name in names}
    queues = {
        name: [began(name), *(wrote(name, text) for text in texts[name]), ended(name, "skipped", "-")] for name in names
    }
    events: list[Event] = []
    while any(queues.values()):
        events.append(queues[data.draw(st.sampled_from([name for name in names if queues[name]]))].pop(0))
    expected = ""
    for name in [event.session for event in events if isinstance(event, SessionFinished)]:
        alone = "".join(texts[name])
        expected += shown(run(name, "_")(*whole_output(name, alone))[:-1], verbosity=-1)
    assert shown(run(*names)(*events)[:-1], verbosity=-1) == expected


def whole_output(name: str, text: str) -> list[Event]:
    return [began(name), wrote(name, text), ended(name, "skipped", "-")] if text else []


def test_where_the_streams_are_two_each_gets_its_own() -> None:
    out, err = Pipe(), Pipe()
    group = Group(Terminal(out), Terminal(err))
    events = run("a", "b")(
        began("b"), wrote("b", "b out\n"), wrote("b", "b err", "stderr"), ended("b"), *whole("a", "a out")
    )
    for event in events:
        group(event)
    assert out.text == "b out\na out\n"
    assert err.text == (
        "b  started\nb err\nb  ok  0.4s\na  started\na  python 3.11.7 · reused\n  $ tool\na  ok  0.4s\n"
        "a  ok  0.4s\nb  ok  0.4s\n2 ok in 3.0s\n"
    )


def test_a_colour_left_open_ends_with_its_block() -> None:
    text = shown(run("a", "b")(*whole("a", "\x1b[31mred"), *whole("b", "plain\n")))
    assert "\x1b[31mred\x1b[0m\na  ok" in text


def test_bytes_that_are_no_utf8_come_out_as_they_were() -> None:
    stream = Pipe()
    shown(run("a")(began("a"), wrote("a", b"\xff\xe9\n".decode("utf-8", "surrogateescape")), ended("a")), stream)
    assert b"\xff\xe9\n" in stream.written


def test_a_terminal_gets_nothing_that_moves_the_cursor_elsewhere() -> None:
    text = shown(run("a")(began("a"), wrote("a", "\x1b[2J\x1b[?25l10%\r20%\x1b[K\x1b[1A\n"), ended("a")), Tty())
    assert text.startswith("10%\r20%\x1b[K\n")
    text = shown(run("a")(began("a"), wrote("a", "\x1b[2Jx\n"), ended("a")))
    assert text.startswith("\x1b[2Jx\n")


def test_on_github_blocks_are_folded_and_their_ends_stand_below() -> None:
    events = run("a", "b")(
        *whole("a", "x\n"), began("b"), ready("b"), done("b", 1), ended("b", "failed", "tool: exit code 1")
    )
    assert shown(events, folded=True).startswith(
        "a  started\n::group::a\na  python 3.11.7 · reused\n  $ tool\nx\n::endgroup::\na  ok  0.4s\n"
        "b  started\n::group::b\nb  python 3.11.7 · reused\n  ✗ exit code 1\n::endgroup::\n"
        "b  failed  0.4s  tool: exit code 1\n"
    )


def test_a_session_that_said_nothing_has_no_block() -> None:
    events = run("a", "b")(began("a"), ended("a", "skipped", "no python"), *whole("b", "x\n"))
    text = shown(events, folded=True)
    assert "::group::b\n" in text
    assert "::group::a\n" not in text


def test_one_session_alone_is_not_told_twice() -> None:
    assert shown(run("a", jobs=1)(*whole("a", "x\n"))) == ("a  python 3.11.7 · reused\n  $ tool\nx\na  ok  0.4s\n")


def test_one_that_has_the_terminal_for_itself_is_never_held_back() -> None:
    stream = Pipe()
    group = Group(Terminal(stream), Terminal(stream))
    for event in run("a", "b")(began("a"), ready("a"), began("b", captured=False), ready("b"), typed("b", "python"))[
        :-1
    ]:
        group(event)
    assert stream.text.endswith("b  python 3.11.7 · reused\n  $ python\n")
    for event in (ended("b"), running("a"), wrote("a", "x\n"), ended("a")):
        group(event)
    assert stream.text.endswith("b  ok  0.4s\na  python 3.11.7 · reused\nx\na  ok  0.4s\n")


def test_a_run_that_is_broken_off_shows_what_is_there() -> None:
    stream = Pipe()
    group = Group(Terminal(stream), Terminal(stream), folded=True)
    for event in run("a", "b", "c")(began("b"), wrote("b", "kept"), began("c"), wrote("c", "too"))[:-1]:
        group(event)
    assert stream.text == "b  started\nc  started\n"
    group.close()
    group.close()
    assert stream.text == "b  started\nc  started\n::group::b\nkept\n::endgroup::\n::group::c\ntoo\n::endgroup::\n"


def test_words_about_no_session_begin_a_line_of_their_own() -> None:
    message = Message(time=0, session=None, level="warning", text="careful")
    assert shown(run("a")(began("a"), wrote("a", "half"), message, ended("a"))).startswith("half\nwarning: careful\n")


def test_quiet_says_only_what_failed_and_keeps_what_commands_print() -> None:
    events = run("a", "b")(*whole("a", "x\n"), began("b"), typed("b"), done("b", 1), ended("b", "failed", "tool"))
    line = "b  failed  0.4s  tool\n"
    assert shown(events, verbosity=-1) == "x\nb\n  $ tool\n  ✗ exit code 1\n" + line + line


@pytest.mark.parametrize("writable", [True, False])
def test_what_waits_goes_to_the_disk(tmp_path: Path, writable: bool) -> None:
    spool = Spool(tmp_path if writable else tmp_path / "missing")
    pieces = [("stdout", "é" * 100_000), ("stderr", "\udc80"), ("words", "w\n"), ("stdout", "x" * (3 * IN_MEMORY))]
    for kind, text in pieces:
        spool.put(kind, text)  # type: ignore[arg-type]
    assert not isinstance(spool._file, io.BytesIO)
    told: dict[str, str] = {}
    for kind, text in spool:
        told[kind] = told.get(kind, "") + text
    assert told == {"stdout": pieces[0][1] + pieces[3][1], "stderr": "\udc80", "words": "w\n"}
    spool.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_what_cant_be_kept_is_missed_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(None)
    monkeypatch.setattr(spool, "_on_disk", lambda: Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115
    spool.put("stdout", "first\n")
    spool.put("stdout", "x" * IN_MEMORY)
    assert list(spool) == [
        ("stdout", "first\n"),
        ("words", "  the rest of its output couldn't be kept: No space left on device\n"),
    ]


def test_a_reader_that_is_gone_stops_nothing() -> None:
    class Gone(Pipe):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    sink = Streams(Terminal(Gone()), Terminal(Gone(), lossy=False))
    sink.put("stdout", "x")
    sink.put("words", "y\n")
    sink.rest()


def later(group: Group, seconds: float) -> None:
    """Let time pass for the heartbeat."""
    heartbeat = group._heartbeat
    assert heartbeat is not None
    start = heartbeat._clock()
    heartbeat._clock = lambda: start + seconds
    with group._lock:
        heartbeat.beat()


def test_what_still_runs_is_named_between_blocks() -> None:
    stream = Pipe()
    group = Group(Terminal(stream), Terminal(stream), folded=True)
    for event in run("a", "b")(began("a"), began("b"), wrote("a", "of a\n"))[:-1]:
        group(event)
    later(group, 10)
    group(ended("a"))
    later(group, 20)
    group(ended("b"))
    group.close()
    lines = stream.text.splitlines()
    assert lines == [
        "a  started",
        "b  started",
        "still running: a (10s, preparing), b (10s, preparing)",
        "::group::a",
        "of a",
        "::endgroup::",
        "a  ok  0.4s",
        "still running: b (30s, preparing)",
        "b  ok  0.4s",
    ]


def test_what_has_the_terminal_to_itself_is_not_interrupted() -> None:
    stream = Pipe()
    group = Group(Terminal(stream), Terminal(stream))
    for event in run("a", "b")(began("a", captured=False))[:-1]:
        group(event)
    later(group, 10)
    assert stream.text == ""
    group.close()


@pytest.mark.parametrize("folded", [False, True])
def test_a_long_preparation_is_told_of_where_one_session_runs(folded: bool) -> None:
    stream = Pipe()
    group = Group(Terminal(stream), Terminal(stream), folded=folded)
    for event in run("a", jobs=1)(began("a"), installing("a", "building", packages=("x",)))[:-1]:
        group(event)
    later(group, 10)
    assert stream.text == "still preparing: a (10s, building x)\n"
    for event in whole("a", "of a\n")[1:]:
        group(event)
    group.close()
    fold = ("::group::a\n", "::endgroup::\n") if folded else ("", "")
    assert stream.text.partition("\n")[2] == f"{fold[0]}a  python 3.11.7 · reused\n  $ tool\nof a\n{fold[1]}"


def test_the_order_of_the_plan_is_kept_where_it_is_asked_for() -> None:
    stream = Pipe()
    group = Group(Terminal(stream), Terminal(stream), ordered=True)
    a, b, c = whole("a", "of a\n"), whole("b", "of b\n"), whole("c", "of c\n")
    for event in run("a", "b", "c")(*c, *a[:4], *b[:4])[:-1]:
        group(event)
    assert stream.text == "a  python 3.11.7 · reused\n  $ tool\nof a\n"
    for event in a[4:]:
        group(event)
    # b runs, and what it has written is there
    assert stream.text == block("a", "of a\n") + "b  python 3.11.7 · reused\n  $ tool\nof b\n"
    for event in b[4:]:
        group(event)
    assert stream.text == block("a", "of a\n") + block("b", "of b\n") + block("c", "of c\n")
    group.close()


def test_an_aborted_run_shows_what_was_held_back_in_order() -> None:
    stream = Pipe()
    group = Group(Terminal(stream), Terminal(stream), ordered=True, folded=True)
    for event in run("a", "b")(*whole("b", "of b\n"), began("a"), wrote("a", "of a"))[:-1]:
        group(event)
    group.close()
    text = stream.text
    assert text.index("of a\n::endgroup::\n") < text.index("::group::b\n") < text.index("of b\n::endgroup::\nb  ok")
