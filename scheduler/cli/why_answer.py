"""Why a job did what it did at an instant: what is known of it in, sentences for a person out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.cli.why_not_due import misses
from scheduler.entry import Catchup, Every, Expression, Reboot
from scheduler.run import Reason, State
from scheduler.runs import messages
from scheduler.runs.outcome_words import of_left_behind
from scheduler.schedule import catchup, day_words
from scheduler.schedule.tick import MINUTE, JumpKind, Verdict
from scheduler.text import counted, of_seconds

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry
    from scheduler.journal.rows import AttemptRow, RunRow
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.tick import Jump


@dataclass(frozen=True, slots=True)
class MinuteFacts:
    """What there is to know about a job and one of its minutes, `at`.

    `entry` is the job's line as it stands today (None: there is none), `is_due` whether it asks for
    that minute. `row` accounts for the minute in the journal, `unreal` are those of a time that was
    not real, since the clock was set back. `jumps` lie over it, `last_tick` is the last minute that
    any daemon handled, `to_come` the first that is still to be. `before` and `after` are the job's
    instants around it. Its `backlog` is what came too late and is still to run.
    """

    job: str
    at: datetime
    zone: ZoneInfo
    now: datetime
    entry: Entry | None = None
    is_due: bool = False
    is_excluded: bool = False
    row: RunRow | None = None
    jumps: tuple[Jump, ...] = ()
    last_tick: datetime | None = None
    unreal: tuple[RunRow, ...] = ()
    to_come: datetime | None = None
    before: datetime | None = None
    after: datetime | None = None
    backlog: Backlog | None = None


def answer(known: MinuteFacts) -> list[str]:
    """Return the answer in sentences, the most telling one first."""
    ran = [row for row in known.unreal if row.attempts]
    return [*_answer(known), *(_in_a_wrong_time(known, row) for row in ran)]


def _answer(known: MinuteFacts) -> list[str]:
    if known.row is not None and _is_meant(known, known.row):
        return _by_the_journal(known, known.row)
    if known.entry is None:
        return [
            f"The journal has no record of {_at(known, known.at)}, and no crontab has this job."
        ]
    if known.is_due:
        return [*_without_a_record(known), *_jumps(known)]
    return [*_not_due(known, known.entry), *_neighbours(known)]


def _is_meant(known: MinuteFacts, row: RunRow) -> bool:
    """Say whether the row is about this minute: a stretch only tells of the instants in it."""
    return row.until is None or known.entry is None or known.is_due or known.is_excluded


def _in_a_wrong_time(known: MinuteFacts, row: RunRow) -> str:
    first = row.attempts[0].started
    began = "began" if first is None else f"started at {_seconds(known, first)}"
    run = f"Run {row.run.number} of {_at(known, row.run.instant)} {began}"
    back = "" if row.set_back is None else f" to {_whole(known, row.set_back)}"
    return f"{run} in a time that was not real: then the clock was set back{back}."


# --- the journal knows ---------------------------------------------------------------------------


def _by_the_journal(known: MinuteFacts, row: RunRow) -> list[str]:
    if row.state is State.SKIPPED:
        return _skipped(known, row)
    first = row.attempts[0] if row.attempts else None
    if first is None or first.started is None:
        return _not_yet_started(known, row)
    return [_ended(known, row, first.started), *_lateness(known, row, first.started)]


def _ended(known: MinuteFacts, row: RunRow, started: datetime) -> str:
    last = row.attempts[-1]
    head = f"It ran: run {row.run.number} of {_at(known, row.run.instant)} started at"
    head = f"{head} {_seconds(known, started)}"
    attempts = f" in attempt {last.number}" if last.number > 1 else ""
    if row.state is State.SUCCEEDED:
        return f"{head} and succeeded{attempts}."
    if row.state is State.RUNNING:
        return f"{head} and has not ended yet."
    if row.state is State.SCHEDULED:
        due = "at once" if row.due is None else f"at {_seconds(known, row.due)}"
        return f"{head}, attempt {last.number} failed ({_how(last)}), the next is due {due}."
    why = f": {_GIVEN_UP.get(row.reason, row.reason.value)}" if row.reason else ""
    return f"{head} and failed ({_how(last)}){attempts}, for good{why}."


_GIVEN_UP = {
    Reason.SUPERSEDED: "the job's next run took the place of its retry",
    Reason.REPLACED: "a newer run took its place (CRON_OVERLAP=replace)",
    Reason.KILLED: "it was ended by hand (meridian kill)",
    Reason.NOT_RETRIED: "this ending is not retried (CRON_RETRY_ON, CRON_NO_RETRY_ON)",
    Reason.WINDOW: "the time for retries was over (CRON_RETRY_WITHIN)",
    Reason.EXHAUSTED: "no attempts left (CRON_RETRIES)",
}


def _how(attempt: AttemptRow) -> str:
    limit = "" if attempt.limit is None else f", its CRON_{attempt.limit.name} was used up"
    behind = f", {of_left_behind(attempt.left_behind)}" if attempt.left_behind else ""
    return f"{attempt.outcome}{limit}{behind}"


def _lateness(known: MinuteFacts, row: RunRow, started: datetime) -> list[str]:
    delay = known.entry.delay if known.entry is not None else 0.0
    late = (started - row.run.instant).total_seconds()
    told = []
    if delay and late >= delay:
        spread = of_seconds(delay)
        told.append(f"CRON_SPREAD or RANDOM_DELAY start it {spread} after its minute.")
    if late - delay >= MINUTE.total_seconds():  # within its own minute no run is late
        told.append(f"That is {of_seconds(late - delay)} late.")
        cause = _jumps(known)
        told += cause or [_BUSY]
    return told


_BUSY = (
    "It waited for an earlier run of the job or for a place (CRON_POOL, --max-running),"
    " or the machine was busy."
)


def _not_yet_started(known: MinuteFacts, row: RunRow) -> list[str]:
    run = f"Run {row.run.number} of {_at(known, row.run.instant)}"
    if row.due is not None and row.due > known.now:
        return [f"{run} waits: it starts at {_seconds(known, row.due)}.", *_jumps(known)]
    if row.reason in _WAITS_FOR:
        return [f"{run} waits for a place: {_WAITS_FOR[row.reason]}."]
    if row.state is State.SCHEDULED:
        return [f"{run} waits for an earlier run of the job to end."]
    return [f"{run} is about to start."]


_WAITS_FOR = {
    Reason.POOL: "its pool is full (CRON_POOL)",
    Reason.CROWD: "as many jobs run as the daemon lets run at once (--max-running)",
}
_SKIPPED = {
    Reason.OVERLAP: "an earlier run of the job was still going (CRON_OVERLAP)",
    Reason.REPLACED: "a newer run took its place while it waited (CRON_OVERLAP=replace)",
    Reason.SUPERSEDED: "a newer instant of the job was run in its place",
    Reason.MISSED: "nobody handled that minute, and it is not made up for",
    Reason.TOO_LATE: "by the time it could start it was later than CRON_WITHIN allows",
    Reason.PAUSED: "the job was paused (meridian pause)",
    Reason.EXCLUDED: "its day was one on which the job does not run (CRON_EXCEPT, CRON_ONLY)",
    Reason.KILLED: "it was cancelled by hand while it waited (meridian kill)",
    Reason.STOPPED: "the daemon was told to stop before it could start",
    Reason.REMOVED: "its line was taken out of the crontab before it started",
}


def _skipped(known: MinuteFacts, row: RunRow) -> list[str]:
    reason = row.reason or Reason.MISSED
    told = [f"It did not run: {_SKIPPED.get(reason, reason.value)}."]
    if row.until is not None:
        span = f"{_at(known, row.run.instant)} to {_at(known, row.until)}"
        told.append(f"The same holds for all its instants from {span}.")
    if reason is Reason.MISSED and known.entry is not None:
        told += _why_not_made_up(known.entry)
    if reason is Reason.EXCLUDED and known.entry is not None:
        told += [f"{why}." for why in _of_day(known, known.entry)]
    return told + _jumps(known)


def _why_not_made_up(entry: Entry) -> list[str]:
    chosen = entry.settings.catchup
    if chosen is Catchup.NONE:
        return ["CRON_CATCHUP=none says so."]
    if catchup.mode(entry) is Catchup.NONE:
        why = "It is @every, or its minute or hour field starts with *"
        return [f"{why}: only CRON_CATCHUP=latest or =all makes up for that."]
    if chosen is Catchup.ALL:
        return [f"Of so many the newest {entry.settings.catchup_limit} are (CRON_CATCHUP_LIMIT)."]
    return []


def _of_day(known: MinuteFacts, entry: Entry) -> list[str]:
    """Return what the line as it is today says of the minute's day; nothing if it may run then."""
    if isinstance(entry.schedule, Expression):
        return misses(entry.schedule, entry.zone, known.at) if known.is_excluded else []
    rules, day = entry.schedule.day_rules, known.at.astimezone(entry.zone).date()
    return [] if rules is None else list(filter(None, [day_words.why_not(rules, day, entry.zone)]))


# --- the journal does not know -------------------------------------------------------------------


def _still_to_run(known: MinuteFacts, backlog: Backlog) -> str:
    left = counted(backlog.left, "instant")
    ahead = f"{left} of the job that came too late, or behind those, are still to run"
    return (
        f"It waits its turn: {ahead}, one after the other. The next is {_at(known, backlog.next)}."
    )


def _without_a_record(known: MinuteFacts) -> list[str]:
    if known.backlog is not None and known.backlog.next <= known.at <= known.backlog.last:
        return [_still_to_run(known, known.backlog)]
    is_handled = known.to_come is not None and known.at < known.to_come
    if known.at > known.now and is_handled:
        what = "That minute was handled before the clock was set back, and nothing runs in it again"
        return [f"{what}: the journal has no record of the job for it."]
    if known.at > known.now:
        wait = of_seconds((known.at - known.now).total_seconds())
        return [f"It is due then, which is still to come: in {wait}."]
    if known.last_tick is None:
        return ["It was due then, but no daemon has ever run with this state folder."]
    if known.at > known.last_tick:
        last = _at(known, known.last_tick)
        return [f"It was due then, but no daemon has handled that minute: the last was {last}."]
    return [
        "By the crontab as it is today it was due then, but the journal has no record of it.",
        "Either no daemon ran yet, or the line was not in the crontab at that time.",
    ]


def _not_due(known: MinuteFacts, entry: Entry) -> list[str]:
    match entry.schedule:
        case Reboot():
            return ["It is due at no time of the clock, but once each time the machine starts."]
        case Every(minutes):
            every = of_seconds(minutes * 60)
            at = _at(known, known.at)
            if known.is_excluded:
                return [f"It was not due at {at}: {'; '.join(_of_day(known, entry))}."]
            return [f"It was not due at {at}: it runs every {every}, from its last instant on."]
        case Expression() as expression:
            head = f"It was not due at {_at(known, known.at)}"
            return [f"{head}: {'; '.join(misses(expression, entry.zone, known.at))}."]


def _neighbours(known: MinuteFacts) -> list[str]:
    told = []
    if known.before is not None:
        told.append(f"The instant before it is {_at(known, known.before)}.")
    if known.after is not None:
        told.append(f"The next one after it is {_at(known, known.after)}.")
    return told


# --- jumps ---------------------------------------------------------------------------------------

_JUMP_WORDS = {
    JumpKind.DOWN: "The daemon was down from {} to {}",
    JumpKind.ASLEEP: "The machine was asleep between {} and {}",
    JumpKind.FORWARD: "The clock was set forward from about {} to {}",
    JumpKind.UNSEEN: "The machine was asleep, or the clock set forward, between {} and {}",
    JumpKind.BACK: "The clock was set back from about {} to {}",
    JumpKind.HELD_UP: "The daemon was held up between {} and {}",
}


def _jumps(known: MinuteFacts) -> list[str]:
    return [_jump(known, jump) for jump in known.jumps if jump.verdict is not Verdict.NOTHING]


def _jump(known: MinuteFacts, jump: Jump) -> str:
    size = of_seconds(abs(jump.seconds))
    words = _JUMP_WORDS[jump.kind].format(_at(known, jump.last), _seconds(known, jump.at))
    return f"{words} ({size}): {messages.of_verdict(jump)}."


def _at(known: MinuteFacts, instant: datetime) -> str:
    local = instant.astimezone(known.zone)
    text = f"{local:%a %Y-%m-%d %H:%M} {known.zone}"
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return text
    return f"{text} ({local.isoformat()[-6:]})"  # the clock shows it twice


def _seconds(known: MinuteFacts, instant: datetime) -> str:
    local = instant.astimezone(known.zone)
    is_near = abs(instant - known.at) < timedelta(hours=12)
    return f"{local:%H:%M:%S}" if is_near else f"{local:%a %Y-%m-%d %H:%M:%S}"


def _whole(known: MinuteFacts, instant: datetime) -> str:
    return f"{instant.astimezone(known.zone):%a %Y-%m-%d %H:%M:%S} {known.zone}"


def of_skipped(typed: datetime, zone: ZoneInfo, behind: datetime, *, answers: bool) -> str:
    """Return what to say of a wall-clock time (naive) that a clock change jumped over.

    `behind` is the first minute (UTC) after the gap, which `answers` for it unless the gap is
    too long.
    """
    shown, before = behind.astimezone(zone), (behind - MINUTE).astimezone(zone)
    what = f"No clock of {zone} showed {typed:%a %Y-%m-%d %H:%M}: after {before:%H:%M} came"
    then = "which answers for it" if answers else "and nothing is made up for the time between"
    return f"{what} {shown:%a %H:%M}, {then}."


def of_repeated(typed: datetime, zone: ZoneInfo) -> str:
    """Return what to say of a wall-clock time (naive) that a clock change repeats."""
    first = typed.replace(tzinfo=zone, fold=0).isoformat(timespec="minutes")
    second = typed.replace(tzinfo=zone, fold=1).isoformat(timespec="minutes")
    return f"{typed:%H:%M} came twice: this is about the first, {first}; the second is {second}."
