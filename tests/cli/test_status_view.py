"""What a person reads of a snapshot, whatever is in it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from records import values

from scheduler.cli import health, status_view
from scheduler.cli.health import Trouble
from scheduler.cli.status_view import StateFolder
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
