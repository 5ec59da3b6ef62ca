"""The log tells a person, systemd and machines the same, and nothing in it can steer a terminal."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.log import Format, Log, open_log

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = 'a"b\n\x1b[31m<3>\u202e\udcff=\t'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def logged(style: Format, tell: Callable[[Log], None], *, colour: bool | None = None) -> str:
    stream = io.StringIO()
    tell(open_log(style, stream, colour=colour))
    return stream.getvalue()


def by_person(line: str) -> str:
    """The line behind its time of day."""
    found = re.fullmatch(r"\d\d:\d\d:\d\d  (.*)\n", line, re.DOTALL)
    assert found is not None, line
    return found[1]


def start(log: Log) -> None:
    log.info("started", job="backup", run=7, attempt=2, say="02:30 Europe/Berlin, attempt 2")


# --- for a person --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected", "why"),
    [
        ({"job": "backup", "run": 7, "say": "02:30"}, "started    backup                 02:30", "the wording, and not the facts"),
        ({"job": "backup", "run": 7, "of": None}, "started    backup                 run=7", "no wording: the facts that there are"),
        ({"say": "nothing"}, "started    nothing", "about no job"),
        ({"job": "backup"}, "started    backup", "no more to say"),
        ({}, "started", "nothing at all"),
        ({"job": "a" * 30, "say": "x"}, f"started    {'a' * 30} x", "a long name keeps its blank"),
        ({"file": "a b", "why": ""}, 'started    file="a b"  why=""', "quoted where it must be"),
        ({"say": "x:1: bad\n    1 2\n    ^"}, "started    x:1: bad\n    1 2\n    ^", "an excerpt with its caret"),
    ],
)  # fmt: skip
def test_a_person_reads_what_happened_to_which_job(
    facts: dict[str, str | int | None], expected: str, why: str
) -> None:
    assert by_person(logged("human", lambda log: log.info("started", **facts))) == expected, why


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
    facts = {"say": fact.replace("\n", " ")} if has_words else {"fact": fact}
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
