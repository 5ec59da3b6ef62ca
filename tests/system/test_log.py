"""The log tells a person, systemd and machines the same, and nothing in it can steer a terminal."""

from __future__ import annotations

import ast
import io
import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.system.log import Fact, Format, Log, open_log

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = Path(__file__).parent.parent.parent / "scheduler"
HOSTILE = 'a"b\n\x1b[31m<3>\u202e\udcff=\t'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2


def logged(style: Format, tell: Callable[[Log], None], *, colour: bool | None = None) -> str:
    stream = io.StringIO()
    tell(open_log(style, stream, colour=colour))
    return stream.getvalue()


def by_person(line: str) -> str:
    """The line behind its time."""
    found = re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d  (.*)\n", line, re.DOTALL)
    assert found is not None, line
    return found[1]


def start(log: Log) -> None:
    log.info("started", job="backup", run=7, attempt=2, say="02:30 Europe/Berlin, attempt 2")


# --- for a person --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected", "why"),
    [
        ({"job": "backup", "run": 7, "pid": 4, "say": "02:30"}, "started    backup                  run 7: 02:30", "the wording, and not the facts"),
        ({"job": "backup", "say": "02:30"}, "started    backup                  02:30", "about no run yet"),
        ({"job": "backup", "run": 7, "of": None}, "started    backup                  run 7", "no wording: facts are for machines"),
        ({"say": "nothing"}, "started    nothing", "about no job"),
        ({"job": "backup"}, "started    backup", "no more to say"),
        ({}, "started", "nothing at all"),
        ({"job": "a" * 30, "say": "x"}, f"started    {'a' * 30}  x", "a long name is whole"),
        ({"job": "日本", "say": "x"}, f"started    日本{' ' * 18}  x", "by cells of the screen"),
        ({"file": "a b", "why": ""}, "started", "facts alone"),
        ({"say": ("x:1: bad", "    1 2", "    ^")}, "started    x:1: bad\n    1 2\n    ^", "an excerpt with its caret"),
        ({"say": ("Traceback", "  File", "Oops: x")}, "started    Traceback\n  File\n    Oops: x", "only a head begins in the first column"),
        ({"say": ("a\nb", "c\nd")}, "started    a\\nb\n    c\\nd", "a newline ends no line of it"),
        ({"say": "in a\nb"}, "started    in a\\nb", "nor the record"),
        ({"say": ()}, "started", "no line at all"),
    ],
)  # fmt: skip
def test_a_person_reads_what_happened_to_which_job(
    facts: dict[str, Fact], expected: str, why: str
) -> None:
    assert by_person(logged("human", lambda log: log.info("started", **facts))) == expected, why


@pytest.fixture
def at_80(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((80, 24)))
    return Terminal()


def test_on_a_terminal_a_line_is_broken_at_blanks_below_its_words(at_80: Terminal) -> None:
    say = "exit 75 after 3 ms; gave up after attempt 3: no attempts left"
    open_log("human", at_80, colour=False).warning("failed", job="hopeless", run=1234, say=say)
    assert [line[8:] for line in at_80.getvalue().splitlines()] == [
        "  failed     hopeless    run 1234: exit 75 after 3 ms; gave up after",
        "             attempt 3: no attempts left",
    ]


def test_on_a_terminal_a_hint_is_broken_at_blanks_and_an_excerpt_is_not(at_80: Terminal) -> None:
    text, hint = (
        "x" * 90,
        "hint: minute hour day month weekday command, or NAME=value, or @daily command",
    )
    say = ("a.crontab:5:1: too-few-fields", f"    {text}", "    ^", f"    {hint}")
    open_log("human", at_80, colour=False).error("problem", say=say)
    assert at_80.getvalue().splitlines()[1:] == [
        f"    {text}",
        "    ^",
        "    hint: minute hour day month weekday command, or NAME=value, or @daily",
        "          command",
    ]


def test_on_a_terminal_a_number_stays_with_its_unit(at_80: Terminal) -> None:
    say = "exit 75 after 100 ms; attempt 3 in 4.1 s"
    open_log("human", at_80, colour=False).warning("failed", job="hopeless", run=123, say=say)
    assert [line[21:] for line in at_80.getvalue().splitlines()] == [
        "hopeless    run 123: exit 75 after 100 ms; attempt 3 in",
        "4.1 s",
    ]


def test_on_a_terminal_names_have_a_narrow_column_and_long_ones_are_whole(
    at_80: Terminal,
) -> None:
    log = open_log("human", at_80, colour=False)
    for job in ("a", "a-longer-name"):
        log.info("started", job=job, say="x")
    assert [line[21:] for line in at_80.getvalue().splitlines()] == [
        "a           x",
        "a-longer-name  x",
    ]


def test_on_a_terminal_a_line_has_the_time_of_day_and_in_a_file_the_date(at_80: Terminal) -> None:
    start(open_log("human", at_80))
    assert re.match(r"\d\d:\d\d:\d\d  ", at_80.getvalue())
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d  ", logged("human", start))


def test_every_line_of_the_daemons_log_has_words_for_a_person() -> None:
    """Each call that names a message says it too, or hands on facts that wording has put in words."""
    calls = [
        (path.name, node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
        and isinstance(node.func, ast.Attribute) and node.func.attr in {"info", "warning", "error"}
        and "log" in ast.unparse(node.func.value)
    ]  # fmt: skip
    assert len(calls) > 15
    for name, call in calls:
        assert {"say", None} & {keyword.arg for keyword in call.keywords}, (name, call.lineno)


def test_only_a_person_is_told_in_words() -> None:
    assert open_log("human", io.StringIO()).is_for_person
    for style in ("systemd", "json"):
        assert not open_log(style, io.StringIO()).is_for_person
        assert "02:30" not in logged(style, start)


def test_colour_is_for_terminals_unless_said_otherwise() -> None:
    terminal = Terminal()
    start(open_log("human", terminal))
    assert "\x1b[36mstarted  \x1b[0m" in terminal.getvalue()
    terminal = Terminal()
    start(open_log("human", terminal, colour=False))
    assert "\x1b" not in terminal.getvalue()
    assert "\x1b" not in logged("human", start)
    assert "\x1b[36m" in logged("human", start, colour=True)


@pytest.mark.parametrize(("level", "colour"), [("info", "0"), ("warning", "31"), ("error", "31")])
def test_a_message_without_a_colour_of_its_own_has_its_levels(level: str, colour: str) -> None:
    line = logged("human", lambda log: getattr(log, level)("anything"), colour=True)
    assert f"\x1b[{colour}manything" in line


# --- for systemd ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "priority"), [("info", 6), ("warning", 4), ("error", 3)])
def test_systemd_reads_the_priority_and_the_facts(level: str, priority: int) -> None:
    line = logged(
        "systemd", lambda log: getattr(log, level)("failed", job="a", why="no disk", n=None)
    )
    assert line == f'<{priority}>failed job=a why="no disk"\n'


def test_what_is_said_of_an_output_is_told_apart_from_what_is_in_it() -> None:
    facts: dict[str, Any] = {"job": "a", "run": 1}
    line = logged("systemd", lambda log: log.info("output", **facts, text="b"))
    assert line == "<6>a[1]: b\n"
    line = logged("systemd", lambda log: log.warning("output", **facts, why="too fast"))
    assert line == '<4>output job=a run=1 why="too fast"\n'


def test_a_message_without_facts_ends_there() -> None:
    assert logged("systemd", lambda log: log.info("stopped")) == "<6>stopped\n"


# --- for machines --------------------------------------------------------------------------------


def test_a_machine_reads_one_object_a_line() -> None:
    stream = io.StringIO()
    log = open_log("json", stream)
    start(log)
    log.error("journal", error="x")
    first, second = stream.getvalue().splitlines()
    found = json.loads(first)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("time"))
    assert found == {"level": "info", "message": "started", "job": "backup", "run": 7, "attempt": 2}
    assert json.loads(second)["level"] == "error"


# --- whatever the facts are ----------------------------------------------------------------------

styles = st.sampled_from(("human", "systemd", "json"))


@pytest.mark.parametrize("style", ["human", "systemd", "json"])
def test_hostile_facts_stay_facts(style: Format) -> None:
    line = logged(style, lambda log: log.warning("failed", job=HOSTILE, file=HOSTILE))
    assert line[:-1].isprintable()
    assert line.endswith("\n")
    line.encode("utf-8")


@given(styles, st.text(), st.text(), st.booleans())
def test_one_record_is_one_printable_line(
    style: Format, job: str, fact: str, has_words: bool
) -> None:
    facts = {"say": fact} if has_words else {"fact": fact}
    line = logged(style, lambda log: log.info("started", job=job, **facts))
    assert line.endswith("\n")
    assert line[:-1].isprintable()


@given(st.text(), st.integers())
def test_a_machine_gets_back_what_was_said(text: str, number: int) -> None:
    line = logged("json", lambda log: log.info("failed", fact=text, number=number))
    found = json.loads(line)
    assert (found["fact"], found["number"]) == (text, number)


# --- whom it does not disturb --------------------------------------------------------------------


def test_it_is_the_daemons_own_log(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogger().handlers[:]
    line = logged("human", start)
    assert line.count("started") == 1
    assert (caplog.records, logging.getLogger().handlers) == ([], before)


def test_it_writes_where_errors_go_at_that_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    start(open_log("systemd"))
    assert stream.getvalue().startswith("<6>started")
