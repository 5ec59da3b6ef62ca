"""What `meridian notify` takes, says and leaves alone; what shows it has tests of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from scheduler.cli.commands import notify as command
from scheduler.system import desktop, presence
from scheduler.system.desktop import ShownBy
from scheduler.system.notification import Notification, Urgency
from scheduler.system.presence import Judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Person


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--unless", "idle"), "--unless: idle needs a duration; write idle:5m"),
        (("--unless", "away"), "--unless: 'away' is no state of a desktop; write idle:5m, locked or presenting"),
        (("--urgency", "high"), "--urgency takes low, normal or critical, not 'high'"),
        (("--postpone", "0"), "--postpone: 0 is no delay; write 5m"),
        (("--postpone", "soon"), "--postpone: 'soon' is not a duration"),
        (("--expire", "soon"), "--expire: 'soon' is not a duration"),
    ],
)  # fmt: skip
def test_wrong_usage_says_what_to_write(person: Person, words: tuple[str, ...], said: str) -> None:
    result = person.types("notify", "Title", *words)
    assert result.exit_code == 2
    assert said in result.stderr


class Screen:
    """Stands in for whoever shows it, and for who is asked before: keeps what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Notification] = []
        self.judged = Judged(None)
        self.shown = ShownBy("dbus")
        monkeypatch.setattr(presence, "judge", lambda *_: self.judged)
        monkeypatch.setattr(desktop, "showing", self._showing)

    @contextmanager
    def _showing(self, asked: Notification, *_: object, **__: object) -> Iterator[ShownBy]:
        self.asked.append(asked)
        yield self.shown if asked.button else ShownBy("dbus")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.delenv("CRON_JOB", raising=False)
    return Screen(monkeypatch)


@pytest.mark.parametrize(
    ("words", "job", "asked"),
    [
        ((), None, Notification("T")),
        ((), "break", Notification("T", tag="break")),
        (("--replace", "mine"), "break", Notification("T", tag="mine")),
        (("--replace", ""), "break", Notification("T")),
        (("--urgency", "critical", "--expire", "1m"), None, Notification("T", urgency=Urgency.CRITICAL, expire=60)),
        (("--expire", "0"), None, Notification("T", expire=0)),
        (("--icon", "face-tired"), None, Notification("T", icon="face-tired")),
        (("--icon", "/a b.png"), None, Notification("T", icon="file:///a%20b.png")),
    ],
)  # fmt: skip
def test_what_the_options_ask_for(
    person: Person,
    screen: Screen,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    job: str | None,
    asked: Notification,
) -> None:
    if job:
        monkeypatch.setenv("CRON_JOB", job)
    assert person.types("notify", "T", *words).exit_code == 0
    assert screen.asked == [asked]


def test_held_back_it_says_why_and_is_no_failure(person: Person, screen: Screen) -> None:
    screen.judged = Judged("the screen is locked (logind)", ("can't tell it: it is shown",))
    result = person.types("notify", "T", "--unless", "presenting,locked")
    assert (result.exit_code, result.stdout) == (0, "not shown: the screen is locked (logind)\n")
    assert result.stderr == "note: can't tell it: it is shown\n"
    assert screen.asked == []


def test_what_has_no_buttons_is_said(person: Person, screen: Screen) -> None:
    screen.shown = ShownBy("terminal")
    result = person.types("notify", "T", "--postpone", "5m")
    assert result.stdout == "shown on the terminal\n"
    assert result.stderr == "note: nobody can postpone it, since what shows it has no buttons\n"


@pytest.mark.parametrize(
    ("slept", "again", "why"),
    [
        (0, True, "the delay is over, and somebody has sat there"),
        (3600, False, "a break that was slept through is not announced"),
    ],
)
def test_postponed_it_is_shown_again_unless_the_machine_slept(
    person: Person,
    screen: Screen,
    monkeypatch: pytest.MonkeyPatch,
    slept: float,
    again: bool,
    why: str,
) -> None:
    now = [0.0]

    def rest(seconds: float) -> None:
        now[0] += seconds + slept

    monkeypatch.setattr(command, "rest", rest)
    monkeypatch.setattr(command, "since_boot", lambda _: now[0])
    screen.shown = ShownBy("dbus", has_button=True, is_pressed=lambda: True)
    result = person.types("notify", "T", "--postpone", "5m")
    assert "postponed for 5m\n" in result.stdout
    assert [each.button is None for each in screen.asked] == [False, True][: 1 + again], why
    assert ("not shown again: the machine slept meanwhile" in result.stdout) != again


def test_a_state_that_came_meanwhile_keeps_the_second_one_back(
    person: Person, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rest(_: float) -> None:
        screen.judged = Judged("the screen is locked (logind)")
        now[0] += 300

    now = [0.0]
    monkeypatch.setattr(command, "rest", rest)
    monkeypatch.setattr(command, "since_boot", lambda _: now[0])
    screen.shown = ShownBy("dbus", has_button=True, is_pressed=lambda: True)
    result = person.types("notify", "T", "--postpone", "5m", "--unless", "locked")
    assert result.stdout.endswith("postponed for 5m\nnot shown: the screen is locked (logind)\n")
    assert len(screen.asked) == 1
