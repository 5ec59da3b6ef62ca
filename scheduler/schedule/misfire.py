"""An entry and an instant in, when its run starts in time and whether it is too late out.

The misfire window is CRON_WITHIN: how late a run may start. Neither a spread start nor the hours in
which START_HOURS_RANGE (anacrontab(5)) lets no missed run start count as lateness.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.entry import Reboot
from scheduler.schedule.tick import MINUTE

if TYPE_CHECKING:
    from scheduler.entry import Entry
    from scheduler.run import Run


def own_start(entry: Entry, instant: datetime) -> datetime:
    """Return when the run of an instant starts in time: CRON_SPREAD, RANDOM_DELAY after it."""
    return instant + timedelta(seconds=entry.delay)


def earliest(entry: Entry, run: Run) -> datetime | None:
    """Return before when no attempt of a run may start, whatever the clock did: its instant.

    None for a run that is no schedule's: a boot's, or one by hand, whose instant is no minute.
    """
    is_scheduled = not isinstance(entry.schedule, Reboot) and run.instant.second == 0
    return run.instant if is_scheduled else None


def lateness(own: datetime, start: datetime) -> float:
    """Return how many seconds late a start is: nought within a minute of its `own` time."""
    late = (start - own).total_seconds()
    return late if late >= MINUTE.total_seconds() else 0.0


def is_too_late(entry: Entry, own: datetime, start: datetime, *, made_up: bool) -> bool:
    """Say whether a run may no longer start at `start`, by CRON_WITHIN.

    `own` is when it should have started: CRON_SPREAD and RANDOM_DELAY are not lateness. Nor is the
    time in which START_HOURS_RANGE lets no run start that is `made_up` for.
    """
    late = lateness(own, start)
    if not late or late <= entry.settings.within:
        return False
    return not made_up or not _starts_in_hours(entry, own, start)


def _starts_in_hours(entry: Entry, own: datetime, start: datetime) -> bool:
    """Say whether it is in time because START_HOURS_RANGE holds such runs back."""
    if entry.settings.start_hours is None:
        return False
    open_s, at = 0.0, own
    while at < start and open_s <= entry.settings.within:
        opens = min(window_opens(entry, at), start)
        closes = min(_closing(entry, opens), start)
        open_s += (closes - opens).total_seconds()
        at = closes
    return open_s <= entry.settings.within


def window_opens(entry: Entry, at: datetime) -> datetime:
    """Return when, from `at` on, a missed run may be made up for: START_HOURS_RANGE, in its zone.

    After anacrontab(5), which knows hours of one day only; over midnight is meant as written.
    """
    if entry.settings.start_hours is None:
        return at
    first, end = entry.settings.start_hours
    local = at.astimezone(entry.zone)
    hour = local.hour
    if first <= hour < end or (first > end and (hour >= first or hour < end)):
        return at
    opens = local.replace(hour=first, minute=0, second=0, microsecond=0, fold=0)
    if hour >= first:  # and past the end: tomorrow
        opens = (opens + timedelta(days=1)).replace(fold=0)
    return opens.astimezone(at.tzinfo)


def opens_another_day(entry: Entry, at: datetime) -> bool:
    """Say whether a missed run has to wait for another day: START_HOURS_RANGE, in its zone."""
    opens = window_opens(entry, at).astimezone(entry.zone)
    return opens.date() != at.astimezone(entry.zone).date()


def _closing(entry: Entry, at: datetime) -> datetime:
    """Return when, from `at` on, the hours in which a missed run may start are over."""
    end = entry.settings.start_hours[1] if entry.settings.start_hours else 0
    local = at.astimezone(entry.zone)
    closes = local.replace(hour=end % 24, minute=0, second=0, microsecond=0, fold=0)
    while (ends := closes.astimezone(at.tzinfo)) <= at:
        closes = (closes + timedelta(days=1)).replace(fold=0)
    return ends
