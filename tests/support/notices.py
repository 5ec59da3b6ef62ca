"""Notices and deliveries to be sent, as the recorder writes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scheduler.notice import AttemptFacts, Delivery, Facts, Kind, Notice

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2027, 3, 1, 2, 30, tzinfo=UTC)
OUTPUT = "outputs/backup/7.1.log"
FACTS = Facts(
    job="backup",
    command="/usr/local/bin/backup --all",
    file="/home/ada/.config/meridian/crontab",
    line=12,
    zone="Europe/Berlin",
    run=7,
    scheduled=AT,
    outcome="exit 3",
    reason="no attempts left",
    attempts=(AttemptFacts(1, "exit 3", OUTPUT, AT, AT, took=0.25),),
    count=1,
)


def notice(target: str, kind: Kind = Kind.FAILURE, **facts: object) -> Notice:
    """A failure of the job `backup`, but for these facts."""
    return Notice(target, kind, AT, replace(FACTS, **facts))  # type: ignore[arg-type]


def ping(url: str, detail: str, **facts: object) -> Notice:
    """A ping of that job."""
    return notice(f"ping:{url}", Kind.PING, detail=detail, **facts)


def delivery(*notices: Notice, number: int = 1, is_repeat: bool = False) -> Delivery:
    """What their target is sent."""
    return Delivery(number, notices[0].target, notices, is_repeat)


def wrote(state: Path, output: bytes) -> None:
    """Let the attempt of these facts have written this."""
    path = state / OUTPUT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(output)
