"""What becomes of an error of a channel: a result, for the one delivery that it is about."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from scheduler.alerts import channel, sender
from scheduler.alerts.channel import Place
from scheduler.notice import Delivery, Facts, Kind, Notice, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduler.alerts.channel import Send

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
PLACE = Place(Path("/state"), Path("/config"), {})
DELIVERIES = [
    Delivery(number, "|x", (Notice("|x", Kind.FAILURE, NOON, Facts("j", "", "", 1, "UTC")),))
    for number in (1, 2, 3)
]


def well(deliveries: Sequence[Delivery], _: Place) -> Iterator[Result]:
    yield from (Result(each.number) for each in deliveries)


def breaks_on_the_second(deliveries: Sequence[Delivery], _: Place) -> Iterator[Result]:
    for each in deliveries:
        if each.number == 2:
            raise ValueError("it is\nbroken\x1b[31m")
        yield Result(each.number)


def breaks_before_all(deliveries: Sequence[Delivery], _: Place) -> Iterator[Result]:
    raise OSError(deliveries)


def exits(deliveries: Sequence[Delivery], _: Place) -> Iterator[Result]:
    yield Result(deliveries[0].number)
    sys.exit("enough")


def says_nothing(_deliveries: Sequence[Delivery], _: Place) -> Iterator[Result]:
    return iter(())


def says_too_much(deliveries: Sequence[Delivery], place: Place) -> Iterator[Result]:
    for _ in range(2):
        yield from well(deliveries, place)
    yield Result(99)


@pytest.mark.parametrize(
    ("send", "errors"),
    [
        (well, ["", "", ""]),
        (breaks_on_the_second, ["", "ValueError: it is broken\\x1b[31m", ""]),
        (breaks_before_all, ["OSError", "OSError", "OSError"]),
        (exits, ["", "SystemExit: enough", ""]),
        (says_nothing, ["the channel gave no answer"] * 3),
        (says_too_much, ["", "", ""]),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_each_delivery_has_one_result(
    send: Send, errors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("scheduler.alerts.command")
    module.send = send  # type: ignore[attr-defined]  # a channel of a test
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found = list(sender.send_all("command", DELIVERIES, PLACE))
    assert [each.delivery for each in found] == [1, 2, 3]
    for each, error in zip(found, errors, strict=True):
        assert each.error[: len(error) or None] == error
        assert len(each.error) <= channel.LONGEST_ERROR
        assert not each.permanent


def test_a_channel_without_what_it_needs_is_refused_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "scheduler.alerts.command", None)
    found = list(sender.send_all("command", DELIVERIES, PLACE))
    assert all(each.permanent and "command" in each.error for each in found)
    assert len(found) == 3
