"""What a check comes to: a level, what was found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DiagnosisLevel(StrEnum):
    """How bad it is: nothing, worth a look, or jobs do not run as they should."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of `doctor`; `remedy` is "" where there is nothing to do.

    `check` is what was looked at; `examination` writes it.
    """

    level: DiagnosisLevel
    message: str
    remedy: str = ""
    check: str = ""


def fine(message: str) -> Diagnosis:
    """Return that there is nothing to do."""
    return Diagnosis(DiagnosisLevel.OK, message)


def warning(message: str, remedy: str) -> Diagnosis:
    """Return what is worth a look."""
    return Diagnosis(DiagnosisLevel.WARNING, message, remedy)


def problem(message: str, remedy: str) -> Diagnosis:
    """Return what keeps jobs from running as they should."""
    return Diagnosis(DiagnosisLevel.PROBLEM, message, remedy)
