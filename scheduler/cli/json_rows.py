"""The nouns in, the JSON objects of the command line out; their keys are promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.cli import run_view
from scheduler.cli.output import utc
from scheduler.day_rules import DayRules
from scheduler.entry import Expression
from scheduler.journal.rows import NoticeState
from scheduler.notice import channel_of
from scheduler.redact import mask_error, mask_named, mask_target, masked
from scheduler.schedule import expression

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.daemon.simulation_events import SimulatedEvent
    from scheduler.entry import AlertRule, Entry, Problem, Schedule, Settings
    from scheduler.journal.rows import AttemptRow, NoticeRow, RunRow
    from scheduler.schedule.dst_audit import ChangeEffect
    from scheduler.schedule.tick import Jump
    from scheduler.schedule.upcoming import ComingRun

Row = dict[str, object]


def of_problem(problem: Problem) -> Row:
    """Return the row of `check --json`."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity.value,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    }


def of_entry(entry: Entry) -> Row:
    """Return the row of `list --json`; values of secret variables are `***`."""
    return {
        "file": entry.file,
        "line": entry.line,
        "job": entry.job,
        "schedule": entry.schedule_text,
        "fields": of_schedule(entry.schedule),
        "zone": entry.zone.key,
        "user": entry.user,
        "command": entry.command,
        "stdin": entry.stdin,
        "environment": masked(entry.environment),
        "settings": of_settings(entry.settings) | of_days(entry.schedule.day_rules or DayRules()),
    }


def of_notice(row: NoticeRow) -> Row:
    """Return the row of `alerts --json`; `due` is when it is tried, `done` when that was over.

    `user` is whose target it is; null is the daemon's own user's.
    """
    notice, is_sent = row.notice, row.state is NoticeState.SENT
    error = mask_error(row.error, notice.target)
    return {
        "alert": row.number,
        "at": utc(notice.at),
        "job": notice.facts.job,
        "run": notice.facts.run,
        "kind": notice.kind.value,
        "detail": notice.facts.detail,
        "channel": channel_of(notice.target).value,
        "target": mask_target(notice.target),
        "user": notice.user,
        "state": row.state.value,
        "tries": row.tries,
        "due": None if row.state.is_over else utc(row.due),
        "done": None if row.done is None else utc(row.done),
        "error": "" if is_sent else error,
        "note": error if is_sent else "",
        "perhaps_twice": row.repeated,
        "delivery": row.delivery,
    }


def of_schedule(schedule: Schedule) -> Row | None:
    """Return the five fields as sorted sets; None where there are none (`@reboot`, `@every`)."""
    return expression.field_sets(schedule) if isinstance(schedule, Expression) else None


def of_settings(settings: Settings) -> Row:
    """Return settings by their names in a crontab without `CRON_`; durations are seconds."""
    retry = settings.retry
    return {
        "retries": retry.retries,
        "retry_delay": retry.delay,
        "retry_factor": retry.factor,
        "retry_max_delay": retry.max_delay,
        "retry_jitter": retry.jitter,
        "retry_within": retry.within,
        "retry_on": None if retry.on is None else _endings(retry.on),
        "no_retry_on": _endings(retry.never_on),
        "success": sorted(settings.success),
        "timeout": settings.timeout,
        "kill_after": settings.kill_after,
        "overlap": settings.overlap.value,
        "catchup": settings.catchup.value,
        "catchup_limit": settings.catchup_limit,
        "within": settings.within,
        "spread": settings.spread,
        "random_delay": settings.random_delay,
        "start_hours": settings.start_hours,
        "pool": None if settings.pool is None else settings.pool.name,
        "pool_limit": None if settings.pool is None else settings.pool.limit,
        "memory": settings.memory,
        "cpu": settings.cpu,
        "nice": settings.nice,
        "alert": None if settings.alert is None else _of_rule(settings.alert),
        "alert_subject": settings.alert_subject,
        "alert_text": settings.alert_text,
        "expect": settings.expect,
        "ping": mask_named("CRON_PING", settings.ping),
    }


def _of_rule(rule: AlertRule) -> Row:
    """Return a CRON_ALERT; the key in a target's address is stars."""
    return {
        "targets": [mask_named("CRON_ALERT", target) for target in rule.targets],
        "after": rule.after,
        "missed": rule.missed,
        "slow": rule.slow,
    }


def of_days(rules: DayRules) -> Row:
    """Return the settings of days as they are written; null where they are not."""
    return {
        "except": None if rules.excepted is None else rules.excepted.text,
        "only": None if rules.only is None else rules.only.text,
        "except_move": rules.move,
        "from": None if rules.since is None else rules.since.isoformat(),
        "until": None if rules.until is None else rules.until.isoformat(),
    }


def _endings(endings: frozenset[int | str]) -> list[int | str]:
    return sorted(endings, key=lambda ending: (isinstance(ending, str), ending))


def of_coming(run: ComingRun) -> Row:
    """Return the row of `next --json`."""
    entry = run.entry
    return {
        "at": utc(run.at),
        "local": run.at.astimezone(entry.zone).isoformat(timespec="seconds"),
        "zone": entry.zone.key,
        "job": entry.job,
        "user": entry.user,
        "file": entry.file,
        "line": entry.line,
        "note": run.note,
    }


def of_finding(entry: Entry, finding: ChangeEffect) -> Row:
    """Return the row of `audit --json`; times without an offset are those of the zone's clock."""
    change = finding.change
    return {
        "file": entry.file,
        "line": entry.line,
        "job": entry.job,
        "zone": entry.zone.key,
        "change": utc(change.at),
        "kind": change.kind,
        "shift_minutes": change.shift_minutes,
        "from": _naive(change.start),
        "to": _naive(change.end),
        "runs": [utc(at) for at in finding.runs],
        "skipped": [_naive(wall) for wall in finding.skipped],
        "text": str(finding),
    }


def _naive(wall: datetime) -> str:
    return wall.isoformat(timespec="seconds")


def of_run(run: RunRow) -> Row:
    """Return the row of `history --json`.

    `user` is there where it is not the daemon's own; `until` where it stands for several, `by_hand`
    where its user started it, `set_back` where its instant, or some of them, came again: when the
    clock was set back.
    """
    row: Row = {
        "run": run.run.number,
        "job": run.run.job,
        "at": utc(run.run.instant),
        "state": run.state.value,
        "reason": None if run.reason is None else run.reason.value,
        "took_s": _rounded(run_view.took(run)),
        "attempts": [of_attempt(attempt) for attempt in run.attempts],
    }
    if run.run.user is not None:
        row["user"] = run.run.user
    if run.until is not None:
        row["until"] = utc(run.until)
    if run.by_hand:
        row["by_hand"] = True
    if run.set_back is not None:
        row["set_back"] = utc(run.set_back)
    return row


def of_whole_run(run: RunRow) -> Row:
    """Return the row of `history RUN --json`: that of `history`, and all else there is."""
    attempts = [
        of_attempt(attempt) | {"waited_s": _rounded(wait), "output": attempt.output}
        for attempt, wait in zip(run.attempts, run_view.waits(run), strict=True)
    ]
    return of_run(run) | {
        "zone": run.zone,
        "by_hand": run.by_hand,
        "made_up": run.made_up,
        "due": _maybe(run.due),
        "retried_by_hand": _maybe(run.reopened),
        "attempts": attempts,
    }


def of_jump(jump: Jump) -> Row:
    """Return the row of `history --jumps --json`; `seconds` is below nought for a step back."""
    return {
        "at": utc(jump.at),
        "last": utc(jump.last),
        "kind": jump.kind.value,
        "seconds": round(jump.seconds, 3),
        "verdict": jump.verdict.value,
    }


def of_attempt(attempt: AttemptRow) -> Row:
    """Return an attempt of a history row; null is what has not happened or nobody could tell."""
    return {
        "attempt": attempt.number,
        "started": _maybe(attempt.started),
        "ended": _maybe(attempt.ended),
        "outcome": None if attempt.outcome is None else str(attempt.outcome),
        "took_s": _rounded(attempt.took),
        "cpu_s": None if attempt.cpu_s is None else round(attempt.cpu_s, 6),
        "memory_bytes": attempt.memory_bytes,
        "limit": None if attempt.limit is None else attempt.limit.value,
        "output_emptied": attempt.emptied,
        "left_behind": attempt.left_behind,
    }


def of_event(event: SimulatedEvent) -> Row:
    """Return the row of `simulate --json`; `until` is there where it stands for several."""
    row: Row = {
        "time": utc(event.time),
        "event": event.kind.value,
        "job": event.job,
        "at": _maybe(event.at),
        "attempt": event.attempt,
        "reason": event.reason,
    }
    if event.until is not None:
        row["until"] = utc(event.until)
    return row


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _maybe(at: datetime | None) -> str | None:
    return None if at is None else utc(at)
