"""A crontab's bytes in, its entries and everything wrong with it out; no bytes make it fail.

Lines are read as cronie reads them, with the settings and schedules that Meridian adds.
"""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from scheduler.crontab import (
    command,
    job_names,
    lexer,
    lint,
    lint_front,
    lint_lines,
    lint_schedule,
    settings,
)
from scheduler.crontab.day_values import MOVE, no_calendars, resolved, ruled
from scheduler.crontab.lint_alerts import unheard
from scheduler.crontab.lint_days import on_move
from scheduler.crontab.scope import BadSetting, Scope
from scheduler.crontab.table_rules import TableLimit, TableRules
from scheduler.crontab.unique_names import second_use
from scheduler.day_rules import DaySet
from scheduler.entry import Crontab, Entry, Flags
from scheduler.errors import BadValue
from scheduler.schedule import expression, field_count, spread
from scheduler.schedule.posix_zone import RuleZone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from scheduler.crontab.command import Action
    from scheduler.crontab.day_values import Calendars
    from scheduler.crontab.lexer import Assigned, Job
    from scheduler.crontab.lint import LintWarning
    from scheduler.entry import Problem, Schedule

_NO_FLAGS = Flags()
_NO_RULES = TableRules()


def parse(
    data: bytes,
    *,
    file: str,
    zone: ZoneInfo,
    system: bool = False,
    rules: TableRules = _NO_RULES,
    salt: str = "",
    calendars: Calendars = no_calendars,
) -> Crontab:
    """Read one file; `zone` is for entries without CRON_TZ, `system` adds the user column.

    In a table of root's own, as in the system form, a `-` may stand before the minute.

    Never raises: whatever is wrong is a Problem, and a bad line takes no good one down. `salt`
    moves the picks of `~` and of RANDOM_DELAY; those of `H` and CRON_SPREAD hang on the job's name.
    `calendars` finds the dates of a calendar that CRON_EXCEPT or CRON_ONLY names.
    """
    reader = FileReader(file, zone, system=system, rules=rules, salt=salt, calendars=calendars)
    return reader.read(data)


class FileReader:
    """Reads one file, line by line.

    Owns the line it has come to, the settings in force there (a Scope), the names given so far,
    and the entries and problems found above. `parse` makes one, calls `read` once and drops it.
    Each job line ends as an entry or in `_refused`, never as both or neither.
    """

    def __init__(
        self,
        file: str,
        zone: ZoneInfo,
        *,
        system: bool,
        rules: TableRules,
        salt: str,
        calendars: Calendars,
    ) -> None:
        self._file = file
        self._zone = zone
        self._system = system
        self._rules = rules
        self._salt = salt
        self._calendars = calendars
        self._scope = Scope(rules.defaults)
        self._names = job_names.Names()
        self._unheard: set[str] = set()  # settings that were warned of: nobody is told by them
        self._entries: list[Entry] = []
        self._problems: list[Problem] = []
        self._refused: set[int] = set()
        self._limit = TableLimit(rules)
        self._taken: dict[int, list[int]] = {}  # lines that a bad setting refuses, by its problem
        self._strings: dict[str, str] = {}
        self._schedules: dict[str, Schedule] = {}
        self._number = 0
        self._line = self._following = ""
        self._begun = 0  # the line whose rest the present one was meant as; 0 for none

    def read(self, text: bytes) -> Crontab:
        """Return what the file holds."""
        pairs = pairwise(chain(lexer.split(text), ("",)))
        for self._number, (self._line, self._following) in enumerate(pairs, 1):
            if self._limit.is_reached:
                self._pass_by()
            else:
                self._read_line()
        return Crontab(
            file=self._file,
            text=text,
            entries=tuple(self._entries),
            problems=lint.in_order(lint.taking_along(self._problems, self._taken)),
            refused=frozenset(self._refused),
        )

    def _read_line(self) -> None:
        line = self._line
        start = lexer.start(line)
        begun = self._begun
        self._begun = (begun or self._number) if lint_lines.goes_on(line, self._following) else 0
        if bad := lint_lines.whole(line, start):
            self._refuse_whole(bad, start)
        elif start == len(line) or line[start] == "#":
            pass
        elif bad := self._limit.reached(line, start, len(self._entries)):
            self._note(bad)
            self._taken[len(self._problems) - 1] = self._limit.refused
            self._pass_by()
        elif begun:
            self._note(lint_lines.rest_of(begun, start))
            self._refused.add(self._number)
        elif "=" in line and (assigned := lexer.assigned_name(line)):
            self._assignment(*assigned, start)
        else:
            self._job(start, self._scope)

    def _refuse_whole(self, bad: BadValue, start: int) -> None:
        self._note(bad)
        assigned = lexer.assigned_name(self._line)
        if self._line[start] == "#":
            return
        if assigned is None or lexer.prefixes(self._line, start):
            self._refused.add(self._number)
        elif assigned[0] in settings.TABLE:
            self._scope.set(assigned[0], self._last_problem())

    # --- assignments -----------------------------------------------------------------------------

    def _assignment(self, name: str, begin: int, start: int) -> None:
        front = None
        if name.startswith(settings.PREFIX):
            try:
                front, warnings = lint_front.read(self._line, start)
            except BadValue as bad:
                self._note(bad)
                self._refused.add(self._number)
                return
            self._note(*warnings)
        if front:
            scope = self._scope.copy()
            for assigned in front[0]:
                self._assign(scope, assigned)
            self._job(front[1], scope)
            return
        try:
            value, value_at = lexer.assigned_value(self._line, begin)
        except BadValue as bad:
            self._note(lint_front.after_quote(bad, self._line, name, begin))
            if name in settings.TABLE:
                self._scope.set(name, self._last_problem())
            return
        self._assign(self._scope, lexer.Assigned(name, value, start, value_at))

    def _assign(self, scope: Scope, assigned: Assigned) -> None:
        if assigned.name in settings.TABLE:
            scope.set(assigned.name, self._setting(assigned))
            return
        try:
            command.refuse_variable(assigned)
        except BadValue as bad:
            self._note(bad)
            return
        zone, quote = scope.get(settings.CRON_TZ), self._quote(assigned)
        self._note(*lint.on_variable(assigned, quote=quote, zone=zone.key if zone else ""))
        self._note(*lint_lines.on_variable(assigned, quote))
        if assigned.name in settings.VARIABLES:
            self._act(scope, assigned)
        if assigned.name not in lint.NOT_SETTABLE:
            scope.set_variable(assigned.name, assigned.value)

    def _act(self, scope: Scope, assigned: Assigned) -> None:
        """Put a variable that acts in force; a bad value has no effect but a warning."""
        read = settings.VARIABLES[assigned.name].read
        try:
            scope.set(assigned.name, read(assigned.value) if assigned.value else None)
        except BadValue as bad:
            self._note(lint.on_bad_value(assigned, bad))

    def _setting(self, assigned: Assigned) -> Any:
        """Return the setting's value, None for an empty one, BadSetting for a bad one."""
        if not assigned.value:
            return None
        try:
            read = settings.read(assigned.name, assigned.value)
            value = self._rules.check(assigned.name, read)
            if isinstance(value, DaySet):
                value = resolved(value, self._calendars)
        except BadValue as bad:
            self._note(lint_front.placed(bad, assigned, self._quote(assigned)))
            return self._last_problem()
        if isinstance(value, RuleZone):
            self._note(lint_schedule.on_rule(value.key, assigned.value_at))
        return value

    def _quote(self, assigned: Assigned) -> str:
        """Return the quote that a value stands in, "" for none."""
        return self._line[assigned.value_at - 1 : assigned.value_at].strip(lexer.BLANKS + "=")

    # --- job lines -------------------------------------------------------------------------------

    def _job(self, start: int, scope: Scope) -> None:
        try:
            entry = self._entry(start, scope)
        except BadValue as bad:
            self._note(self._better(bad, start))
            self._refused.add(self._number)
            return
        if taken := scope.refused_by():
            self._refused.add(self._number)
            for number in taken:
                self._taken.setdefault(number, []).append(self._number)
            return
        self._note(*unheard(entry, start, self._unheard))
        self._names.take(entry)
        self._entries.append(entry)

    def _pass_by(self) -> None:
        if self._limit.passes_by(self._number, self._line):
            self._refused.add(self._number)

    def _entry(self, start: int, scope: Scope) -> Entry:
        no_log = self._line[start] == "-"
        if no_log and not (self._system or self._rules.is_roots):
            hint = "only root's tables may start with it; write -q before the command"
            raise BadValue("dash", "a - in front of the minute", offset=start, hint=hint)
        job = lexer.job(self._line, start + no_log)
        does = command.read(job, self._line, system=self._system)
        if bad := lint_lines.cut_off(self._line, self._following):
            raise bad
        self._note(*lint_lines.on_command(does))
        if does.flags or does.user is None or does.stdin is not None:
            self._note(*lint.on_action(does))
        command.refuse_two_overlaps(does, scope.get(settings.CRON_OVERLAP))
        name = self._name(job, does, scope)
        chosen = self._rules.of_table(scope.settings())
        return Entry(
            job=name,
            schedule=self._on_days(self._schedule(job, name), job, scope),
            schedule_text=self._shared(job.schedule),
            zone=scope.get(settings.CRON_TZ) or self._zone,
            command=does.command,
            stdin=does.stdin,
            environment=scope.environment(),
            settings=chosen,
            flags=command.flags(no_log, does.flags) if no_log or does.flags else _NO_FLAGS,
            user=self._user(does),
            is_crons=self._rules.is_crons,
            delay=spread.of(name, chosen, self._salt),
            file=self._file,
            line=self._number,
        )

    def _better(self, bad: BadValue, start: int) -> BadValue:
        """Return an error that says more of a line which is no schedule, else this one."""
        if known := lint_lines.better(self._line, start):
            return known
        if mistake := field_count.mistake(self._line[start : start + command.LONGEST_SCHEDULE]):
            mistake.offset += start
        return mistake or bad

    def _name(self, job: Job, does: Action, scope: Scope) -> str:
        chosen: str | None = scope.get(settings.CRON_NAME)
        if chosen is None:
            zone = scope.get(settings.CRON_TZ)
            key = zone.key if zone else ""
            name = job_names.derived(
                job.schedule, does.command, stdin=does.stdin, zone=key, user=self._user(does)
            )
            return self._names.numbered(self._rules.prefix + name)
        chosen = self._rules.prefix + chosen
        if first := self._names.taken(chosen):
            raise second_use(chosen, f"line {first.line}", job.schedule_at)
        return chosen

    def _user(self, does: Action) -> str | None:
        return self._rules.user or (does.user and self._shared(does.user))

    def _schedule(self, job: Job, name: str) -> Schedule:
        schedule = self._schedules.get(job.schedule) or self._parsed(job, name)
        for warning in lint_schedule.on_schedule(job.schedule, schedule):
            at = lexer.schedule_offset(self._line, job.schedule_at, warning.offset)
            self._note(warning._replace(offset=at))
        return schedule

    def _on_days(self, schedule: Schedule, job: Job, scope: Scope) -> Schedule:
        """Return the schedule with the day rules in force."""
        if not scope.has_days:  # as for most of many entries
            return schedule
        try:
            rules = scope.day_rules()
        except BadValue as bad:
            bad.offset = job.schedule_at
            raise
        found = schedule if rules is None else ruled(schedule, rules)
        self._note(*on_move(found, scope.get(MOVE), job.schedule_at))
        return found

    def _parsed(self, job: Job, name: str) -> Schedule:
        try:
            schedule = expression.parse(job.schedule, job=name, salt=self._salt)
        except BadValue as bad:
            bad.offset = lexer.schedule_offset(self._line, job.schedule_at, bad.offset)
            raise
        if not expression.is_drawn(job.schedule):
            self._schedules[job.schedule] = schedule
        return schedule

    def _shared(self, text: str) -> str:
        return self._strings.setdefault(text, text)

    # --- problems --------------------------------------------------------------------------------

    def _note(self, *found: BadValue | LintWarning) -> None:
        for one in found:
            self._limit.errors += isinstance(one, BadValue)
            self._problems.append(lint.problem(self._file, self._number, self._line, one))

    def _last_problem(self) -> BadSetting:
        """Return what stands for a setting with the problem that was just noted."""
        return BadSetting(len(self._problems) - 1)
