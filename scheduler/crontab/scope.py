"""Assignments in, what is in force for the entries below them out.

crontab(5): an assignment counts from its line to the end of the file, or until the name is set
again. What stands in front of a schedule counts for that entry alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scheduler.crontab import day_values, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.day_rules import DayRules
    from scheduler.entry import Environment, Settings


_OF_DAYS = frozenset(
    {
        day_values.FROM,
        day_values.UNTIL,
        day_values.EXCEPT,
        day_values.ONLY,
        day_values.MOVE,
    }
)


@dataclass(frozen=True, slots=True)
class BadSetting:
    """Stands for a value that was no good, and refuses what it governs.

    `problem` is the number of the problem, of those of its file, that says why.
    """

    problem: int


@dataclass(slots=True)
class Scope:
    """The settings and variables in force at one place of a file.

    Owns the values set so far, and what they come to. The parser calls it, line by line; an
    assignment in front of a schedule gets a copy. What it gives out is frozen, and worked out once
    for all the entries between two changes.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)  # of this crontab; others have theirs
    _values: dict[str, Any] = field(default_factory=dict)
    _variables: dict[str, str] = field(default_factory=dict)
    _settings: Settings | None = None
    _environment: Environment | None = None
    _day_rules: DayRules | None = None
    _knows_days: bool = True
    has_days: bool = False  # a setting about days is in force, if only a refused one

    def copy(self) -> Scope:
        """Return a scope for one entry, which starts from this one and does not change it."""
        known = (self._settings, self._environment, self._day_rules, self._knows_days)
        return Scope(
            self.defaults, dict(self._values), dict(self._variables), *known, self.has_days
        )

    def set(self, name: str, value: Any) -> None:
        """Put a setting in force; None puts its default back, BadSetting refuses what follows."""
        self._settings = None
        if value is None:
            self._values.pop(name, None)
        else:
            self._values[name] = value
        if name in _OF_DAYS:
            self._knows_days, self.has_days = False, not _OF_DAYS.isdisjoint(self._values)

    def set_variable(self, name: str, value: str) -> None:
        """Set an environment variable; a later one of the same name replaces an earlier one."""
        self._environment = None
        self._variables[name] = value

    def get(self, name: str) -> Any:
        """Return a setting's good value, None if it is the default or refused."""
        value = self._values.get(name)
        return None if isinstance(value, BadSetting) else value

    def refused_by(self) -> list[int]:
        """Return the numbers of the problems with the bad settings in force."""
        return [value.problem for value in self._values.values() if isinstance(value, BadSetting)]

    def settings(self) -> Settings:
        """Return what the good settings in force come to."""
        if self._settings is None:
            values = self._values.items()
            good = {name: value for name, value in values if not isinstance(value, BadSetting)}
            self._settings = settings.build({**self.defaults, **good})
        return self._settings

    def day_rules(self) -> DayRules | None:
        """Return what the good values say of days; BadValue where they contradict each other."""
        if not self._knows_days:
            chosen = {name: self.get(name) for name in _OF_DAYS & self._values.keys()}
            self._day_rules = day_values.rules(chosen)
            self._knows_days = True
        return self._day_rules

    def environment(self) -> Environment:
        """Return the variables in the order of their names, so that equal sets are equal."""
        if self._environment is None:
            self._environment = _shared(tuple(sorted(self._variables.items())))
        return self._environment


@lru_cache(maxsize=4096)
def _shared(environment: Environment) -> Environment:
    return environment
