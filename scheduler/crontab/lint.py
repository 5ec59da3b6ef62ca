"""Parts of a line in, what its writer should be told about them out; nothing is refused here."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from scheduler.crontab import lexer, mail_variables, percent, settings, whole_job
from scheduler.entry import Problem, Severity
from scheduler.redact import also_starred, mask
from scheduler.suggestions import did_you_mean
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scheduler.crontab.command import Action
    from scheduler.crontab.lexer import Assigned
    from scheduler.entry import Crontab
    from scheduler.errors import BadValue

# POSIX's crontab(1) sets the first itself, from the owner of the table. USER it leaves alone.
NOT_SETTABLE = frozenset({"LOGNAME"}) | settings.GIVEN

# A comment, as a shell would see it: cron takes it for a part of the value.
COMMENT = re.compile(r"(?:^|[ \t])#(?=\s|$)")

_CUT_RANGE = re.compile(r"-[ \t]")
_LINES_TOLD = 5  # lines of refused entries that are named
_KEPT_BEHIND = 500  # characters of a long line that a problem keeps behind its column
_SHOWN_UP_TO = 10_000  # a column beyond this is not shown in its line

_EXPANDED = re.compile(r"\$(?=[{(A-Za-z_])|`(?=[^`]+`)")
_HOME = re.compile(r"(?:^|:)~(?=/|:|$)")
_PATH_VARIABLES = frozenset({"HOME", "PATH", "SHELL"})


# Accounts that systems and their packages make, and no program is called so.
_ACCOUNTS = frozenset(
    "root www-data nobody daemon postgres mysql mongodb redis nginx apache httpd tomcat munin"
    " zabbix nagios prometheus grafana jenkins gitlab-runner logcheck list proxy smmsp postfix"
    " asterisk elasticsearch ubuntu debian admin ec2-user centos vagrant pi deploy nextcloud"
    " wwwrun".split()
)
_PROGRAM_START = re.compile(
    r"/|\./|\[ |(?:cd|test|sh|bash|env|nice|php|python3?|perl|ruby|node|flock)[ \t]"
)


class LintWarning(NamedTuple):
    """A stable word, a sentence, where in the line (from 0), and what to do."""

    code: str
    message: str
    offset: int
    hint: str = ""


def problem(file: str, number: int, line: str, found: BadValue | LintWarning) -> Problem:
    """Return an error or a warning with its place; a very long line is cut, or left out."""
    column, shown = found.offset + 1, lexer.hidden(line)
    return Problem(
        file=file,
        line=number,
        column=column,
        severity=Severity.WARNING if isinstance(found, LintWarning) else Severity.ERROR,
        code=found.code,
        message=also_starred(mask(found.message), line, shown),
        hint=found.hint,
        text=shown[: column + _KEPT_BEHIND] if column <= _SHOWN_UP_TO else "",
    )


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems of one file as they stand in it."""
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def taking_along(
    problems: Sequence[Problem], taken: Mapping[int, Sequence[int]]
) -> Iterator[Problem]:
    """Yield the problems; one that refuses entries, by its number, says which lines those are."""
    for number, each in enumerate(problems):
        if lines := taken.get(number):
            message = f"{each.message}; {_so_refused(each.line, lines)}"
            yield replace(each, message=message, refuses=tuple(lines))
        else:
            yield each


def refusals(crontab: Crontab) -> dict[int, str]:
    """Return, for each line that is refused, why: the code of a problem, and its line if another.

    In the order of the lines.
    """
    errors = [each for each in crontab.problems if each.severity is Severity.ERROR]
    why: dict[int, str] = {}
    for each in errors:
        why |= dict.fromkeys(each.refuses, f"{each.code} on line {each.line}")
    why |= {each.line: each.code for each in reversed(errors)}
    return {line: why.get(line, "") for line in sorted(crontab.refused)}


def _so_refused(line: int, refused: Sequence[int]) -> str:
    if list(refused) == [line]:
        return "so its entry is refused"
    told = [str(each) for each in refused[:_LINES_TOLD]]
    more = len(refused) - len(told)
    last = f"{more} more" if more else told.pop()
    where = f"lines {', '.join(told)} and {last}" if told else f"line {last}"
    are = "entry below is" if len(refused) == 1 else "entries below are"
    return f"so {len(refused)} {are} refused: {where}"


def on_variable(assigned: Assigned, *, quote: str = "", zone: str = "") -> list[LintWarning]:
    """Return what to say about an environment variable, in the order of the line.

    `quote` is that which its value stands in, `zone` the CRON_TZ in force above it.
    """
    name, value = assigned.name, assigned.value
    has_job = not name.startswith(settings.PREFIX) and _holds_job(value, quote)
    if name in NOT_SETTABLE:
        who = "Meridian sets it for each run" if name in settings.GIVEN else "cron sets it"
        ignored = LintWarning("ignored", f"{name} can't be set here: {who}", assigned.name_at)
        return [ignored, _looks_like_entry(assigned)] if has_job else [ignored]
    if name in mail_variables.MAIL_NAMES:
        return [_looks_like_entry(assigned)] if has_job else _mail(assigned, quote)
    found: list[LintWarning | None] = []
    if name.startswith(settings.PREFIX):
        found.append(_unknown(assigned))
    elif has_job:
        found.append(_looks_like_entry(assigned))
    elif name == "TZ" and value and value != zone:
        hint = "write CRON_TZ for the zone of the schedules below; TZ is the commands' own"
        found.append(LintWarning("tz", "TZ moves no schedule", assigned.name_at, hint))
    elif name == "SHELL":
        found.append(_shell(assigned))
    found.append(_comment(assigned, quote) or _not_expanded(assigned, quote))
    return [each for each in found if each]


def _mail(assigned: Assigned, quote: str) -> list[LintWarning]:
    """Return what keeps mail from going where its writer wants it; cron would only log it."""
    if comment := _comment(assigned, quote):
        return [comment]
    return [
        LintWarning(bad.code, bad.message, assigned.value_at + bad.offset, bad.hint)
        for bad in mail_variables.doubts(assigned.name, assigned.value)
    ]


def _holds_job(value: str, quote: str) -> bool:
    if lexer.looks_like_job(value) or lexer.looks_like_job(_behind_word(value)):
        return True
    return not quote and whole_job.find(value) is not None


def _behind_word(value: str) -> str:
    return value[lexer.word(value)[1] :]


def _looks_like_entry(assigned: Assigned) -> LintWarning:
    at = whole_job.find(assigned.value)
    front = assigned.value[:at] if at else lexer.word(assigned.value)[0]
    hint = own_line(assigned.name, front)
    if assigned.name == "TZ":
        hint = f"write CRON_TZ={lexer.word(assigned.value)[0]} in front of the schedule"
    return looks_like_entry(assigned.name, assigned.value_at, hint)


def looks_like_entry(name: str, at: int, hint: str) -> LintWarning:
    """Return the warning about a job that is a part of the value of a name in front of it."""
    message = f"it looks like a job, but everything behind = is the value of {shortened(name)}"
    return LintWarning("looks-like-entry", message, at, hint)


def own_line(name: str, value: str) -> str:
    """Return the hint where a variable stands in front of a schedule, which only settings may."""
    if name in mail_variables.MAIL_NAMES:
        good = mail_variables.addresses(value).written if name == mail_variables.MAILTO else ()
        targets = ",".join(f"mail:{address}" for address in good)
        other = f", or write CRON_ALERT={targets} in front to hear of failures" if good else ""
        return f"put {name} on a line of its own, above{other}"
    only = "only CRON_ settings may stand in front of a schedule"
    return f"{only}: put {shortened(name)} on a line of its own, above"


def _shell(assigned: Assigned) -> LintWarning | None:
    """Say what is wrong with the program that every command is given to."""
    value = assigned.value
    if not value:
        return LintWarning("no-shell", "SHELL is empty: no command can start", assigned.value_at)
    blank = re.search(r"\s", value)
    if blank is None or COMMENT.search(value):
        return None
    message = f"SHELL is the path of a program, and there is hardly one called {shortened(value)}"
    hint = f"write SHELL={value[: blank.start()]}; options go into the command"
    return LintWarning("no-shell", message, assigned.value_at + blank.start(), hint)


def _comment(assigned: Assigned, quote: str) -> LintWarning | None:
    found = None if quote else COMMENT.search(assigned.value)
    if found is None:
        return None
    message = f"the value of {shortened(assigned.name)} goes on to the end of the line, with its #"
    at = assigned.value_at + found.start()
    return LintWarning("comment-in-value", message, at, "put the comment on a line of its own")


def _not_expanded(assigned: Assigned, quote: str) -> LintWarning | None:
    """Say what a shell would put in the place of a part of the value; in '…' it would not."""
    value, name = assigned.value, assigned.name
    found = None if quote == "'" else _EXPANDED.search(value)
    if found is None and name in _PATH_VARIABLES:
        found = _HOME.search(value)
    if found is None:
        return None
    message = f"cron does not expand {found[0].lstrip(':')[0]} in values"
    return LintWarning("not-expanded", message, assigned.value_at + found.end() - 1, "write it out")


def on_bad_value(assigned: Assigned, bad: BadValue) -> LintWarning:
    """Return what to say about a bad value that cron would only log."""
    message = f"{bad.message}: {assigned.name} has no effect"
    return LintWarning(bad.code, message, assigned.value_at + bad.offset, bad.hint)


def on_action(action: Action) -> list[LintWarning]:
    """Return what to say about the flags and the command of a job line."""
    found = []
    if action.user is None and (user := _user_in_front(action.command)):
        hint = "a line with a user column is read with --system-format"
        message = f"the command is {shortened(user)}: is this the system form?"
        found.append(LintWarning("user-column", message, action.command_at, hint))
    if action.command.startswith("#"):
        message = "the command is a comment, so nothing runs"
        found.append(LintWarning("no-command", message, action.command_at))
    if _CUT_RANGE.match(action.command):
        hint = "a range has no blanks in it: write mon-fri"
        message = "the command begins with -, which no program does"
        found.append(LintWarning("blank-in-field", message, action.command_at, hint))
    if action.stdin is not None:
        found.extend(_percent(action))
    return found


def _user_in_front(command: str) -> str:
    """Return the first word where it is a user's, and a program stands behind it; else ""."""
    user, at = lexer.word(command)
    if user not in _ACCOUNTS:
        return user if user and command.startswith(f"/home/{user}/", at) else ""
    return (
        user if _PROGRAM_START.match(command, at) or (user == "root" and at < len(command)) else ""
    )


def _unknown(assigned: Assigned) -> LintWarning | None:
    """Say which setting a name is near; any other name is somebody's own."""
    near = settings.nearest(assigned.name)
    if not near:
        return None
    message = f"{shortened(assigned.name)} is no setting: jobs get it as a variable"
    return LintWarning("unknown-setting", message, assigned.name_at, did_you_mean([near]))


def _percent(action: Action) -> list[LintWarning]:
    at = lexer.unescaped_percent(action.text)
    why = percent.doubt(action.text[:at], action.text[at + 1 :])
    if not why:
        return []
    message = f"the first % ends the command, {why}"
    return [LintWarning("percent", message, action.command_at + at, "write \\% for a percent sign")]
