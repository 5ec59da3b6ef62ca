"""What is known of users by their names: nobody waits for a directory that does not answer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from fakes import FakeClock
from spawner_stages import eventually

from scheduler.errors import MeridianError
from scheduler.system import known_users
from scheduler.system.known_users import GOOD_FOR, NEW_FOR, KnownUsers, NotTold

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HUNG = [f"hung{n}" for n in range(20)]


class Directory:
    """Tells of every name at once, but of those that hang, and of those that fail."""

    def __init__(self, *hanging: str) -> None:
        self.asked: Counter[str] = Counter()
        self.failing: set[str] = set()
        self.hanging = set(hanging)
        self.goes_on = threading.Event()

    def look(self, name: str) -> str:
        self.asked[name] += 1
        if name in self.hanging:
            assert self.goes_on.wait(60)
        if name in self.failing:
            raise OSError(5, "it is broken")
        return f"{name} {self.asked[name]}"


@contextmanager
def hanging(*names: str) -> Iterator[tuple[Directory, KnownUsers[str], FakeClock]]:
    directory, clock = Directory(*names), FakeClock(NOON)
    try:
        yield directory, KnownUsers(directory.look, clock), clock
    finally:
        directory.goes_on.set()


def told(known: KnownUsers[str], name: str) -> str | None:
    """What is known now; None where the system does not tell."""
    try:
        return known.find(name)
    except NotTold:
        return None


def test_an_answer_counts_for_a_burst_and_no_longer() -> None:
    with hanging() as (directory, known, clock):
        assert [known.find("ann") for _ in range(3)] == ["ann 1"] * 3
        clock.advance(NEW_FOR)
        assert known.find("ann") == "ann 2"
        assert directory.asked == {"ann": 2}


def test_what_was_asked_ahead_is_there() -> None:
    with hanging() as (directory, known, _):
        names = [f"user{n}" for n in range(100)]
        known.ask(names)
        eventually(lambda: directory.asked.total() == 100)
        assert [known.find(name) for name in names] == [f"{name} 1" for name in names]
        assert set(directory.asked.values()) == {1}


def test_a_name_that_hangs_is_not_told_and_the_others_are() -> None:
    """The loop waits for a second in all, however many hang, and each of them is asked once."""
    with hanging(*HUNG) as (directory, known, _):
        begun = time.monotonic()
        known.ask([*HUNG, "ann"])
        with pytest.raises(NotTold, match="the system does not tell now who 'hung0' is"):
            known.find("hung0")
        assert [told(known, name) for name in (*HUNG, "ann", "bob") * 3] == [
            *[None] * 20,
            "ann 1",
            "bob 1",
        ] * 3
        assert time.monotonic() - begun < 10
        assert set(directory.asked.values()) == {1}
        directory.goes_on.set()
        eventually(lambda: told(known, "hung7") == "hung7 1")


def test_all_waiting_is_bounded() -> None:
    """By what is waited, not by a clock of this test, which others may slow down."""
    with hanging(*HUNG) as (_, known, _clock):
        waited: list[float] = []
        for name in HUNG:
            before = known._patience.seconds
            assert told(known, name) is None
            waited.append(max(before, known_users._AT_LEAST))
        assert sum(waited) < 1.2


def test_the_last_answer_counts_until_the_next_minute_and_no_longer() -> None:
    with hanging() as (directory, known, clock):
        assert known.find("ann") == "ann 1"
        directory.hanging.add("ann")
        clock.advance(60)
        known.ask(["ann"])
        assert known.find("ann") == "ann 1"
        clock.advance(GOOD_FOR - 60)
        assert told(known, "ann") is None
        directory.goes_on.set()
        eventually(lambda: told(known, "ann") == "ann 3")


def test_a_look_up_that_fails_is_raised_and_made_again() -> None:
    with hanging() as (directory, known, clock):
        directory.failing.add("ann")
        with pytest.raises(OSError, match="it is broken"):
            known.find("ann")
        directory.failing.clear()
        clock.advance(NEW_FOR)
        assert known.find("ann") == "ann 2"


def test_where_there_is_no_room_for_a_thread_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with hanging() as (_, known, _clock), monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise MeridianError("no room")

        patch.setattr(known_users, "start_apart", full)
        known.ask(["ann"])
        assert told(known, "ann") is None
        patch.undo()
        assert known.find("ann") == "ann 1"
