"""Assignments in, what is in force for the entries below them out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from scheduler import settings

if TYPE_CHECKING:
    from scheduler.model import Environment, Settings

REFUSED: Final = object()  # stands for a value that was no good: it refuses what it governs


@dataclass(slots=True)
class Scope:
    """The settings and variables in force at one place of a file.

    It changes while the file is read; what it gives out is frozen, worked out once for all the
    entries between two changes.
    """

    _values: dict[str, Any] = field(default_factory=dict)
    _variables: dict[str, str] = field(default_factory=dict)
    _settings: Settings | None = None
    _environment: Environment | None = None

    def copy(self) -> Scope:
        """Return a scope for one entry, which starts from this one and does not change it."""
        return Scope(dict(self._values), dict(self._variables), self._settings, self._environment)

    def set(self, name: str, value: Any) -> None:
        """Put a setting in force; None puts its default back, REFUSED refuses what follows."""
        self._settings = None
        if value is None:
            self._values.pop(name, None)
        else:
            self._values[name] = value

    def set_variable(self, name: str, value: str) -> None:
        """Set an environment variable; a later one of the same name replaces an earlier one."""
        self._environment = None
        self._variables[name] = value

    def get(self, name: str) -> Any:
        """Return a setting's good value, None if it is the default or refused."""
        value = self._values.get(name)
        return None if value is REFUSED else value

    @property
    def refuses(self) -> bool:
        """Whether a bad setting is in force."""
        return REFUSED in self._values.values()

    def settings(self) -> Settings:
        """Return what the good settings in force come to."""
        if self._settings is None:
            good = {name: value for name, value in self._values.items() if value is not REFUSED}
            self._settings = settings.build(good)
        return self._settings

    def environment(self) -> Environment:
        """Return the variables in the order of their names, so that equal sets are equal."""
        if self._environment is None:
            self._environment = _shared(tuple(sorted(self._variables.items())))
        return self._environment


@lru_cache(maxsize=4096)
def _shared(environment: Environment) -> Environment:
    return environment
