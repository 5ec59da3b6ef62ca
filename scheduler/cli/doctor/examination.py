"""Checks in, their findings out, one after the other; none of them is waited for too long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from scheduler.cli.doctor.diagnosis import Diagnosis, problem
from scheduler.errors import MeridianError
from scheduler.system.background import start_apart

T = TypeVar("T")

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
        return in_time(lambda: list(check.look()), check.name, check.limit)
    except NotInTime as error:
        return [problem(str(error), _SEE)]
    except (MeridianError, OSError) as error:
        return [problem(f"it can't be looked at: {error}", "mend that, and look again")]
    except Exception as error:  # noqa: BLE001 (a check that is wrong must not end the others)
        return [problem(f"this check went wrong: {type(error).__name__}: {error}", _REPORT)]


class NotInTime(MeridianError):
    """What was looked at has not answered in time."""


def in_time(look: Callable[[], T], name: str, limit: float = CHECK_LIMIT) -> T:
    """Return what is seen, or raise what that raises; NotInTime for what takes too long.

    That one is left to itself, and ends with this process.
    """
    found: list[T] = []
    failed: list[Exception] = []
    is_over = threading.Event()

    def run() -> None:
        try:
            found.append(look())
        except Exception as error:  # noqa: BLE001 (it is raised where somebody waits)
            failed.append(error)
        is_over.set()

    start_apart(run, f"doctor: {name}")
    if not is_over.wait(limit):
        raise NotInTime(f"{name}: no answer within {limit:g} s")
    if failed:
        raise failed[0]
    return found[0]


_SEE = "see what hangs there: a disk, a network, a program"
_REPORT = "that is a bug of Meridian: please report it"
