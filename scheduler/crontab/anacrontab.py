"""The text of an anacrontab in, its entries and everything wrong with it out, after anacrontab(5).

A job of anacron has a period in days, not a time: it is due once so many days have gone by since
its last run, of which its stamp has the date. What goes round the jobs (assignments, settings,
comments, bad lines) is read as in a crontab.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduler.crontab import command, job_names, lexer
from scheduler.crontab.day_values import no_calendars
from scheduler.crontab.lint import LintWarning
from scheduler.crontab.parser import FileReader
from scheduler.crontab.table_rules import TableRules
from scheduler.day_rules import DayRules
from scheduler.entry import Entry, Expression, Pool
from scheduler.errors import BadValue
from scheduler.schedule import expression, periods, spread
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from zoneinfo import ZoneInfo

    from scheduler.crontab.day_values import Calendars
    from scheduler.crontab.scope import Scope
    from scheduler.day_rules import Period
    from scheduler.entry import Crontab, Settings

USER = "root"  # anacron's jobs are root's, the table has no user column
ONE_AT_A_TIME = Pool("anacron", 1)  # systems start anacron with -s: one job after the other

_B = lexer.BLANKS
_ANACRON_LINE = re.compile(
    rf"([0-9]+|@[^{_B}]+)[{_B}]+([0-9]+)[{_B}]+([^{_B}/]+)[{_B}]+([^{_B}].*)", re.DOTALL
)
_PERIODS = {"@daily": (1, 0), "@weekly": (7, 0), "@monthly": (0, 1), "@yearly": (0, 12)}
_PERIODS |= {"@annually": (0, 12)}
_MOST_DAYS = 36_500
_DAY_S = 86_400
_LAST_MINUTE = 24 * 60 - 1
_STARTED_AT = 7 * 60 + 30  # when Debian's timer starts anacron first on a day
_ITS_VARIABLES = {"LOGNAME": USER, "USER": USER}  # what it has by itself
_ROOTS = TableRules(is_roots=True, is_crons=True)
_SUCH_AS = "such as: 7 10 weekly-report /usr/local/bin/report"


@dataclass(frozen=True, slots=True)
class AnacronFacts:
    """What the text does not say: `last_run` of a job, by its name, and which day is `today`."""

    last_run: Callable[[str], date | None]
    today: date


class _Line(NamedTuple):
    period: str
    delay: int
    name: str
    command: str
    at: int  # where the line starts, the name, and the command
    name_at: int
    command_at: int


def parse(
    data: bytes,
    *,
    file: str,
    zone: ZoneInfo,
    facts: AnacronFacts,
    salt: str = "",
    calendars: Calendars = no_calendars,
) -> Crontab:
    """Read one anacrontab, in the zone of the machine. Never raises, see `parser.parse`."""
    return _AnacronReader(file, zone, facts, salt, calendars).read(data)


class _AnacronReader(FileReader):
    """Reads one anacrontab, see `FileReader`: only the lines of jobs are different."""

    def __init__(
        self, file: str, zone: ZoneInfo, facts: AnacronFacts, salt: str, calendars: Calendars
    ) -> None:
        super().__init__(file, zone, system=True, rules=_ROOTS, salt=salt, calendars=calendars)
        self._facts = facts
        self._preferred: int | None = None

    def _assign(self, scope: Scope, assigned: lexer.Assigned) -> None:
        if _ITS_VARIABLES.get(assigned.name) == assigned.value:
            return
        if assigned.name == "PREFERRED_HOUR":
            hour = int(assigned.value) if re.fullmatch("[0-9]{1,2}", assigned.value) else 24
            self._preferred = hour if hour < 24 else None
        super()._assign(scope, assigned)

    def _better(self, bad: BadValue, start: int) -> BadValue:  # noqa: ARG002 (a crontab's way)
        return bad

    def _entry(self, start: int, scope: Scope) -> Entry:
        line = _read_line(self._line, start)
        days, months = self._period(line)
        command.refuse_long("command", line.command, line.command_at)
        name, chosen = self._job_name(line), _settings(scope, days or 366)
        period = periods.due_from(days, months, self._facts.last_run(line.name), self._facts.today)
        return Entry(
            job=name,
            schedule=self._due(line, period, chosen, scope),
            schedule_text=f"{line.period} {line.delay}",
            zone=self._zone,
            command=line.command,
            environment=scope.environment(),
            settings=chosen,
            user=USER,
            is_crons=True,
            delay=spread.of(name, chosen, self._salt),
            stamp=line.name,
            file=self._file,
            line=self._number,
        )

    def _period(self, line: _Line) -> tuple[int, int]:
        """Return the days, or else the months, of a period."""
        if line.period.startswith("@"):
            if line.period not in _PERIODS:
                hint = f"one of {', '.join(_PERIODS)}, or a number of days"
                message = f"{shortened(line.period)} is no period of anacron's"
                raise BadValue("bad-period", message, offset=line.at, hint=hint)
            return _PERIODS[line.period]
        days = int(line.period) if len(line.period) < 10 else _MOST_DAYS + 1
        if days > _MOST_DAYS:
            message = f"{shortened(line.period)} days are no period"
            hint = f"a number of days up to {_MOST_DAYS}"
            raise BadValue("bad-period", message, offset=line.at, hint=hint)
        if days == 0:
            message = "a period of 0 days: anacron runs it each time that it is started"
            self._note(LintWarning("no-period", message, line.at, "here it runs once a day"))
        return max(days, 1), 0

    def _job_name(self, line: _Line) -> str:
        try:
            return self._names.numbered(job_names.check(line.name))
        except BadValue:
            name = job_names.derived(line.period, line.name, user=USER)
            return self._names.numbered(name)

    def _due(self, line: _Line, period: Period, chosen: Settings, scope: Scope) -> Expression:
        """Return the minute of the days on which it is due.

        That is its delay after the hours in which jobs may start have begun.
        """
        begins, ends = _STARTED_AT, _LAST_MINUTE
        if chosen.start_hours is not None and chosen.start_hours[0] < chosen.start_hours[1]:
            begins, ends = chosen.start_hours[0] * 60, chosen.start_hours[1] * 60 - 1
        if self._preferred is not None:
            begins, ends = self._preferred * 60, self._preferred * 60 + 59
        at = min(begins + line.delay, ends)
        if begins + line.delay > ends:
            message = f"a delay of {line.delay} minutes ends behind the hours in which jobs start"
            hint = f"it starts at {at // 60:02}:{at % 60:02}"
            self._note(LintWarning("late-delay", message, line.at, hint))
        schedule: Any = expression.parse(f"{at % 60} {at // 60} * * *")
        job = lexer.Job(line.period, line.at, line.command, line.command_at)
        schedule = self._on_days(schedule, job, scope)
        rules = schedule.day_rules or DayRules()
        due: Expression = replace(schedule, day_rules=replace(rules, period=period))
        return due


def _read_line(line: str, start: int) -> _Line:
    found = _ANACRON_LINE.match(line, start)
    if found is None:
        message = "no job of anacron: a period in days, a delay in minutes, a name, a command"
        raise BadValue("bad-anacron-line", message, offset=start, hint=_SUCH_AS)
    delay = int(found[2][:5])  # longer ones end behind the day as well
    text = found[4].rstrip(_B)
    return _Line(found[1], delay, found[3], text, start, found.start(3), found.start(4))


def _settings(scope: Scope, days: int) -> Settings:
    """Return the settings in force, with what anacron does where they say nothing.

    It runs one job after the other, and a period late.
    """
    chosen = scope.settings()
    if scope.get("CRON_WITHIN") is None:
        chosen = replace(chosen, within=float(days * _DAY_S))
    return chosen if chosen.pool is not None else replace(chosen, pool=ONE_AT_A_TIME)
