"""Checks in, their findings out, one after the other; none of them is waited for too long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from scheduler.cli.doctor.diagnosis import Diagnosis, problem
from scheduler.errors import MeridianError
from scheduler.system.background import NotInTime, within

CHECK_LIMIT = 10.0  # seconds: a file system that hangs, a program that waits for somebody


@dataclass(frozen=True, slots=True)
class Check:
    """What is looked at, by what name, and for how many seconds at most."""

    name: str
    look: Callable[[], Iterable[Diagnosis]]
    limit: float = CHECK_LIMIT


def findings(checks: Iterable[Check]) -> Iterator[Diagnosis]:
    """Yield what each check comes to, as soon as it has."""
    for check in checks:
        for each in _limited(check):
            yield replace(each, check=check.name)


def _limited(check: Check) -> list[Diagnosis]:
    try:
        return within(check.limit, lambda: list(check.look()), check.name)
    except NotInTime as error:
        return [problem(str(error), _SEE)]
    except (MeridianError, OSError) as error:
        return [problem(f"it can't be looked at: {error}", "mend that, and look again")]
    except Exception as error:  # noqa: BLE001 (a check that is wrong must not end the others)
        return [problem(f"this check went wrong: {type(error).__name__}: {error}", _REPORT)]


_SEE = "see what hangs there: a disk, a network, a program"
_REPORT = "that is a bug of Meridian: please report it"
