"""What may wait for ever is waited for so long and no longer."""

from __future__ import annotations

from threading import Event

import pytest

from scheduler.system.background import NotInTime, within

LONG = 60.0  # seconds, of which none has to pass


def test_what_answers_in_time_answers() -> None:
    assert within(LONG, lambda: 7, "a server") == 7


def test_what_fails_fails_here() -> None:
    def fails() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own") as raised:
        within(LONG, fails, "a server")
    assert not isinstance(raised.value, NotInTime)


def test_what_does_not_answer_is_left_behind() -> None:
    never = Event()
    with pytest.raises(NotInTime, match=r"^a server: no answer within 0.01 s$"):
        within(0.01, never.wait, "a server")
    never.set()
