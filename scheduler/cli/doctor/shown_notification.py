"""A notification really shown, as a job of the daemon would show one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from scheduler.cli.doctor.diagnosis import Diagnosis, DiagnosisLevel, fine, problem, warning
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.errors import NotifyError
from scheduler.system import desktop

SHOWING_LIMIT = 15.0  # seconds
_TITLE, _TEXT = "Meridian", "meridian doctor asks whether you see this."
_WAYS = "a job needs the desktop's session bus: start the daemon in the session, or as its user"


def show(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Show one in the environment of the daemon's jobs, and yield who took it."""
    yield shown_by(facts.surroundings.inheritance.inherited)


def shown_by(environ: Mapping[str, str]) -> Diagnosis:
    """Return who took a notification, or why nobody did."""
    try:
        way = desktop.notify(_TITLE, _TEXT, timeout=SHOWING_LIMIT - 5, environ=environ)
    except NotifyError as error:
        return problem(str(error), _WAYS)
    if way == "terminal":
        return warning("shown on the terminal: no desktop takes one", _WAYS)
    return fine(f"{way} took it")


def not_seen(found: Diagnosis) -> Diagnosis:
    """Return what to do where somebody took it, but the person has not seen it."""
    remedy = "look whether it is set to Do Not Disturb, or is a notifier of another session"
    message = f"{found.message}, but you did not see it"
    return replace(found, level=DiagnosisLevel.PROBLEM, message=message, remedy=remedy)
