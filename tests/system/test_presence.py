"""When a notification would disturb: how the states are written, and whom to believe."""

from __future__ import annotations

import pytest

from scheduler.errors import BadValue
from scheduler.system import presence
from scheduler.system.presence import Presence, Unless
from scheduler.system.presence_sources import Asked, PresenceAnswer

IDLE, LOCKED, PRESENTING = (
    Unless(Presence.IDLE, 300),
    Unless(Presence.LOCKED),
    Unless(Presence.PRESENTING),
)


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("idle:5m", (IDLE,)),
        ("idle:300", (IDLE,)),
        ("locked,presenting", (LOCKED, PRESENTING)),
        (" idle:5m , locked ", (IDLE, LOCKED)),
    ],
)
def test_states_are_written(text: str, states: tuple[Unless, ...]) -> None:
    assert presence.parse(text) == states


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("idle", "idle needs a duration", "write idle:5m"),
        ("idle:", "idle needs a duration", "write idle:5m"),
        ("idle:soon", "'soon' is not a duration", "write it as in 90s, 10m, 2h, 1d or 1h30m"),
        ("away", "'away' is no state of a desktop", "write idle:5m, locked or presenting"),
        ("locked:5m", "'locked:5m' is no state of a desktop", "write idle:5m, locked or presenting"),
        ("Locked", "'Locked' is no state of a desktop", "write idle:5m, locked or presenting"),
        ("idle:5m locked", "'idle:5m locked' has a blank in it", "put a comma between two: idle:5m,locked"),
        ("presenting locked", "'presenting locked' has a blank in it", "put a comma between two: idle:5m,locked"),
        ("locked,", "'' is no state of a desktop", "write idle:5m, locked or presenting"),
        ("", "'' is no state of a desktop", "write idle:5m, locked or presenting"),
    ],
)  # fmt: skip
def test_what_is_no_state_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(BadValue) as refused:
        presence.parse(text)
    assert (refused.value.message, refused.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("condition", "answers", "reason", "why"),
    [
        (IDLE, [(300, "a")], "nobody has used this desktop for 5m (a)", "as long as asked for"),
        (IDLE, [(3725.9, "a")], "nobody has used this desktop for 1h2m5s (a)", "longer"),
        (IDLE, [(299.9, "a")], None, "not as long"),
        (IDLE, [(0, "a"), (900, "b")], None, "the first who knows is believed"),
        (IDLE, [], None, "nobody knows"),
        (LOCKED, [(0, "a"), (1, "b")], "meant (b)", "one that knows of no lock says no"),
        (LOCKED, [(0, "a"), (0, "b")], None, "nobody says yes"),
        (LOCKED, [], None, "nobody knows"),
        (PRESENTING, [(1, "a"), (1, "b")], "meant (a)", "the first who says yes is named"),
    ],
)  # fmt: skip
def test_who_is_believed(
    condition: Unless, answers: list[tuple[float, str]], reason: str | None, why: str
) -> None:
    said = tuple(PresenceAnswer(value, source, "meant") for value, source in answers)
    assert presence.held_back(condition, Asked(said)) == reason, why
