"""What a person reads of a snapshot, whatever is in it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import values
from standin import STATUS

from scheduler.cli import health, status_view
from scheduler.cli.health import Trouble
from scheduler.cli.status_view import StateFolder
from scheduler.codec import decode
from scheduler.status import Snapshot

NOW = datetime(2027, 3, 28, 1, 1, 30, tzinfo=UTC)
zones = st.sampled_from(["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"]).map(ZoneInfo)
sizes = st.tuples(st.integers(1, 200), st.none() | st.integers(1, 60))


@given(values(Snapshot), zones, sizes)
def test_whatever_the_codec_lets_through_can_be_shown(
    snapshot: Snapshot, zone: ZoneInfo, size: tuple[int, int | None]
) -> None:
    for line in status_view.lines(snapshot, StateFolder(), zone, *size):
        assert line.plain.isprintable(), line.plain


@given(values(Snapshot))
def test_and_be_judged_without_measured_values(snapshot: Snapshot) -> None:
    assert "|" not in str(health.judge(snapshot, Trouble(), NOW))


@pytest.mark.parametrize(
    ("users", "columns", "why"),
    [
        (("alice", None), 3, "somebody has jobs of this daemon's"),
        (("alice", "root"), 3, "so may root, who reads this"),
        ((None, "root"), 0, "all are its own: root is whose daemon has jobs of users"),
    ],
)
def test_rows_of_other_users_say_whose_they_are_within_80_columns(
    users: tuple[str | None, ...], columns: int, why: str
) -> None:
    members = {
        name: [row | {"user": user} for row in STATUS[name] for user in users]
        for name in ("running", "waiting", "next")
    }
    snapshot = decode(Snapshot, STATUS | members)
    berlin = ZoneInfo("Europe/Berlin")
    shown = [line.plain for line in status_view.lines(snapshot, StateFolder(), berlin, 80)]
    assert sum("USER" in line for line in shown) == columns, why
    assert sum("alice" in line for line in shown) == columns, why
    assert max(map(len, shown)) <= 80
