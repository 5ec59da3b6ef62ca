"""What is known of a job and what has happened to it in, whether somebody is told of it out.

Pure: times are those of the events. All of it is one rule for each thing that happens, below; what
a person gets of it is the table of docs/alerts.md. An interval is taken without its sign: after a
clock that was set back by less, nothing is told again, and by more, nothing keeps it from being
told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from scheduler.notice import Kind

if TYPE_CHECKING:
    from scheduler.entry import AlertRule

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# How much earlier than a day ago something may have been told of: a daily job's run is an hour
# earlier in spring, and some seconds or minutes on any day.
EARLIER = timedelta(minutes=90)
# A job that fails again so soon after its recovery flaps. Shorter than a day: a daily job never
# does, since each of its runs is news.
SOON = timedelta(hours=20)
MOST_OUTCOMES = 5  # of one streak that are told of as they come


# --- what is known of a job --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """When somebody was first told of something that lasts, and when last."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Episode:
    """A time in which a job fails more than once: its finished runs, and how many have failed.

    `well_for` is the longest time, in seconds, that it was well meanwhile.
    """

    since: datetime
    runs: int
    failed: int
    well_for: float = 0.0
    flaps: bool = False


@dataclass(frozen=True, slots=True)
class JobAlerts:
    """All that is known of a job for its alerts; the journal keeps it as text (codec).

    `failures` are final, in a row, `since` the first of them. While somebody knows that it fails,
    `failing` is there, with the `outcomes` they were told of. `recovered` is when they were told of
    the last recovery, `well_since` the first success behind the last failure. `seen` and
    `succeeded` are for CRON_EXPECT: since when the daemon has known of it, and the last success.
    `missed` instants have not been told of yet.
    """

    failures: int = 0
    since: datetime | None = None
    failing: Told | None = None
    outcomes: tuple[str, ...] = ()
    episode: Episode | None = None
    recovered: datetime | None = None
    well_since: datetime | None = None
    seen: datetime | None = None
    succeeded: datetime | None = None
    silent: Told | None = None
    missed: int = 0
    missed_since: datetime | None = None
    missing: Told | None = None
    slow: Told | None = None


# --- what happens ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failed:
    """A run has failed for good; `outcome` is how, in words that are the same for the same."""

    at: datetime
    outcome: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """A run has succeeded."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Missed:
    """So many instants have no run, against the entry's wish; the first of them is `since`."""

    at: datetime
    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class TookLong:
    """A run took longer than usual."""

    at: datetime


@dataclass(frozen=True, slots=True)
class StayedSilent:
    """The job has been without a success for longer than its CRON_EXPECT."""

    at: datetime


Happening = Failed | Succeeded | Missed | TookLong | StayedSilent


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known from now on; with a `kind`, somebody is told, and of how many (see Facts)."""

    state: JobAlerts
    kind: Kind | None = None
    count: int = 0
    of: int = 0
    since: datetime | None = None


def decide(state: JobAlerts, happening: Happening, rule: AlertRule) -> Judgement:
    """Return what is known from now on, and whether somebody is told."""
    match happening:
        case Failed(at, outcome):
            return _after_failure(_counted(state, at), at, outcome, rule)
        case Succeeded(at):
            return _after_success(state, at)
        case Missed():
            return _after_missed(state, happening)
        case TookLong(at):
            if not is_due_again(state.slow, at):
                return Judgement(state)
            return Judgement(replace(state, slow=_again(state.slow, at)), Kind.SLOW)
        case StayedSilent(at):
            silent = _again(state.silent, at)
            since = state.succeeded or state.seen
            return Judgement(replace(state, silent=silent), Kind.SILENT, since=since)
        case _:
            assert_never(happening)


# --- failures and successes --------------------------------------------------------------------


def _counted(state: JobAlerts, at: datetime) -> JobAlerts:
    """Return the state with one failure more."""
    episode = state.episode
    if episode is not None:
        episode = replace(episode, runs=episode.runs + 1, failed=episode.failed + 1)
    return replace(state, failures=state.failures + 1, since=state.since or at, episode=episode)


def _after_failure(state: JobAlerts, at: datetime, outcome: str, rule: AlertRule) -> Judgement:
    if state.failures < rule.after:
        return Judgement(state)
    failing = state.failing
    if failing is None:
        return _first_told(state, at, outcome)
    if state.episode is not None and state.episode.flaps:
        state = _unwell(state, at)
        return _told_again(state, at) if is_due_again(state.failing, at) else Judgement(state)
    is_new = outcome not in state.outcomes and len(state.outcomes) < MOST_OUTCOMES
    if is_new and abs(at - failing.last) >= HOUR:
        return _told_again(replace(state, outcomes=(*state.outcomes, outcome)), at)
    return _told_again(state, at) if is_due_again(state.failing, at) else Judgement(state)


def _first_told(state: JobAlerts, at: datetime, outcome: str) -> Judgement:
    """Begin a streak that is told of; soon after a recovery the job flaps."""
    if state.recovered is not None and state.episode and abs(at - state.recovered) < SOON:
        state = _unwell(replace(state, episode=replace(state.episode, flaps=True)), at)
    else:
        episode = Episode(state.since or at, state.failures, state.failures)
        state = replace(state, episode=episode, well_since=None)
    return _told_again(replace(state, outcomes=(outcome,)), at)


def _told_again(state: JobAlerts, at: datetime) -> Judgement:
    state = replace(state, failing=_again(state.failing, at))
    return Judgement(state, Kind.FAILURE, *_numbers(state))


def _numbers(state: JobAlerts) -> tuple[int, int, datetime | None]:
    """Return how many have failed, of how many (0: all in a row), and since when."""
    episode = state.episode
    if episode is not None and episode.flaps:
        return episode.failed, episode.runs, episode.since
    return state.failures, 0, state.since


def _unwell(state: JobAlerts, at: datetime) -> JobAlerts:
    """Return the state at a failure of a job that flaps: how long it was well, it is no longer."""
    if state.episode is None or state.well_since is None:
        return state
    well_for = max(state.episode.well_for, abs(at - state.well_since).total_seconds())
    return replace(state, episode=replace(state.episode, well_for=well_for), well_since=None)


def _after_success(state: JobAlerts, at: datetime) -> Judgement:
    numbers = _numbers(state)
    was_silent, episode = state.silent is not None, state.episode
    if episode is not None:
        episode = replace(episode, runs=episode.runs + 1)
    well = replace(state, failures=0, since=None, silent=None, episode=episode)
    if state.seen is not None:
        well = replace(well, succeeded=at)
    if state.failing is None:
        return _after_silence(_forgotten(well, at), was_silent=was_silent, since=state.succeeded)
    well = replace(well, well_since=state.well_since or at)
    if episode is not None and episode.flaps:
        if abs(at - (well.well_since or at)) < _trial(episode):
            return Judgement(well)
        numbers = _numbers(well)
    well = replace(well, failing=None, outcomes=(), recovered=at)
    return Judgement(well, Kind.RECOVERY, *numbers)


def _after_silence(state: JobAlerts, *, was_silent: bool, since: datetime | None) -> Judgement:
    return Judgement(state, Kind.RECOVERY, since=since) if was_silent else Judgement(state)


def _trial(episode: Episode) -> timedelta:
    """Return how long a job that flaps has to be well before it has recovered.

    Twice as long as it ever was in between, so that each recovery that does not last makes the
    next one rarer; at least an hour.
    """
    return min(max(HOUR, timedelta(seconds=2 * episode.well_for)), SOON)


def _forgotten(state: JobAlerts, at: datetime) -> JobAlerts:
    """Return the state without an episode that is long over."""
    if state.recovered is not None and abs(at - state.recovered) >= SOON:
        return replace(state, episode=None, recovered=None, well_since=None)
    return state


# --- missed, slow, silent ----------------------------------------------------------------------


def _after_missed(state: JobAlerts, missed: Missed) -> Judgement:
    count = state.missed + missed.count
    since = state.missed_since or missed.since
    if not is_due_again(state.missing, missed.at):
        return Judgement(replace(state, missed=count, missed_since=since))
    told = _again(state.missing, missed.at)
    known = replace(state, missed=0, missed_since=None, missing=told)
    return Judgement(known, Kind.MISSED, count, since=since)


def silence_begins(state: JobAlerts, expect: float, now: datetime) -> datetime | None:
    """Return from when on the job's silence is to be told of; None if it is not known.

    Nobody has seen the job yet, or its last success is still to come: the clock was wrong. Whoever
    was told that it fails needs no second message of it, as long as they are reminded.
    """
    since = state.succeeded or state.seen
    if since is None or since > now:
        return None
    begins = since + timedelta(seconds=expect)
    if state.silent is not None and not _is_long_ago(state.silent, now):
        begins = max(begins, _next_day(state.silent))
    if state.failing is not None and not _is_long_ago(state.failing, now):
        begins = max(begins, state.failing.last + DAY + EARLIER)
    return begins


# --- once a day --------------------------------------------------------------------------------


def is_due_again(told: Told | None, at: datetime) -> bool:
    """Say whether something that lasts is to be told of, again: each day at about its first time.

    Days are counted from the first time, so that they do not wander through the night, and a day
    begins somewhat EARLIER than that.
    """
    if told is None or abs(at - told.last) >= DAY:
        return True
    return _day(told, at) > _day(told, told.last) and at - told.last >= DAY / 2


def _again(told: Told | None, at: datetime) -> Told:
    """Return when it was told of, now at last; after a day without it, days are counted anew."""
    if told is None or _is_long_ago(told, at):
        return Told(at, at)
    return replace(told, last=at)


def _is_long_ago(told: Told, at: datetime) -> bool:
    return abs(at - told.last) >= DAY + EARLIER


def _day(told: Told, at: datetime) -> int:
    return (at - told.first + EARLIER) // DAY


def _next_day(told: Told) -> datetime:
    return told.first + (_day(told, told.last) + 1) * DAY
