"""Parts of a line in, what its writer should be told about them out; nothing is refused here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scheduler import lines, percent, settings
from scheduler.fields import shortened
from scheduler.mask import mask
from scheduler.model import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduler.action import Action
    from scheduler.errors import BadValue
    from scheduler.lines import Assigned

# cron sets the first two itself, from the owner of the crontab.
IGNORED = frozenset({"LOGNAME", "USER"}) | settings.GIVEN

NO_EFFECT = frozenset(
    {
        "MAILTO",
        "MAILFROM",
        "CONTENT_TYPE",
        "CONTENT_TRANSFER_ENCODING",
    }
)

_BEHIND = 500  # characters of a long line that a problem keeps behind its column
_BEFORE = 10_000  # a column beyond this is not shown in its line

_VARIABLE = re.compile(r"\$(?:\{|[A-Za-z_])")


class Remark(NamedTuple):
    """A warning: a stable word, a sentence, where in the line (from 0), and what to do."""

    code: str
    message: str
    offset: int
    hint: str = ""


def problem(file: str, number: int, line: str, found: BadValue | Remark) -> Problem:
    """Return an error or a warning with its place; a very long line is cut, or left out."""
    column = found.offset + 1
    return Problem(
        file=file,
        line=number,
        column=column,
        severity=Severity.WARNING if isinstance(found, Remark) else Severity.ERROR,
        code=found.code,
        message=mask(found.message),
        hint=found.hint,
        text=lines.hidden(line)[: column + _BEHIND] if column <= _BEFORE else "",
    )


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems of one file as they stand in it."""
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def on_variable(assigned: Assigned) -> list[Remark]:
    """Return what to say about an environment variable, in the order of the line."""
    name, value = assigned.name, assigned.value
    if name in IGNORED:
        who = "Meridian sets it for each run" if name in settings.GIVEN else "cron sets it"
        return [Remark("ignored", f"{name} can't be set here: {who}", assigned.name_at)]
    if name in NO_EFFECT:
        return [_no_effect(name, assigned.name_at)] if value else []
    found = []
    if name.startswith(settings.PREFIX):
        found.append(_unknown(assigned))
    elif lines.looks_like_job(value):
        hint = "only CRON_ settings may stand in front of a schedule"
        message = f"everything behind = is the value of {shortened(name)}, no job"
        found.append(Remark("looks-like-entry", message, assigned.value_at, hint))
    if expanded := _VARIABLE.search(value):
        at = assigned.value_at + expanded.start()
        found.append(Remark("not-expanded", "cron does not expand $ in values", at, "write it out"))
    return found


def on_bad_value(assigned: Assigned, bad: BadValue) -> Remark:
    """Return what to say about a bad value that cron would only log."""
    message = f"{bad.message}: {assigned.name} has no effect"
    return Remark(bad.code, message, assigned.value_at + bad.offset, bad.hint)


def on_action(action: Action) -> list[Remark]:
    """Return what to say about the flags and the command of a job line."""
    found = []
    if "n" in action.flags:
        found.append(_no_effect("-n", action.flags_at))
    if action.user is None and action.command.startswith(("root ", "root\t")):
        hint = "a line with a user column is read with --system-format"
        message = "the command is 'root': is this the system form?"
        found.append(Remark("user-column", message, action.command_at, hint))
    if action.stdin is not None:
        found.extend(_percent(action))
    return found


def _no_effect(names: str, at: int) -> Remark:
    return Remark("has-no-effect-yet", f"{names} has no effect yet", at)


def _unknown(assigned: Assigned) -> Remark:
    near = settings.nearest(assigned.name)
    hint = f"did you mean {near}?" if near else ""
    message = f"{shortened(assigned.name)} is no setting: jobs get it as a variable"
    return Remark("unknown-setting", message, assigned.name_at, hint)


def _percent(action: Action) -> list[Remark]:
    at = lines.unescaped_percent(action.text)
    why = percent.doubt(action.text[:at], action.text[at + 1 :])
    if not why:
        return []
    message = f"the first % ends the command, {why}"
    return [Remark("percent", message, action.command_at + at, "write \\% for a percent sign")]
