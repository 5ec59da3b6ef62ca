"""This machine and the crontabs in, what would keep jobs from running, and its remedy out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import options, output, state_folder
from scheduler.cli.doctor import (
    alert_addresses,
    alerts_given_up,
    clock_set,
    daemon_limits,
    daemons,
    examination,
    facts,
    job_lines,
    mail_way,
    other_crons,
    shown_notification,
    state_disk,
    zones,
)
from scheduler.cli.doctor.diagnosis import Diagnosis, DiagnosisLevel
from scheduler.cli.doctor.examination import Check
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.crontab import mail_variables
from scheduler.system.background import within
from scheduler.text import counted

app = typer.Typer()

_LEVEL_STYLES = {
    DiagnosisLevel.OK: "green",
    DiagnosisLevel.WARNING: "yellow",
    DiagnosisLevel.PROBLEM: "bold red",
}
_LEVEL_WIDTH = 9  # cells of the longest level, and two blanks
_CHECK_WIDTH = 16

Notify = Annotated[
    bool, typer.Option("--notify", help="Show a notification, and ask whether you saw it.")
]


Mail = Annotated[
    str | None,
    typer.Option("--mail", metavar="ADDRESS", help="Send a mail there.", show_default=False),
]


@app.command(epilog="Example:  meridian doctor --notify --mail me@example.org")
def doctor(
    files: options.Files = None,
    notify: Notify = False,
    mail: Mail = None,
    system: options.SystemForm = False,
    state: state_folder.State = None,
    json: options.Json = False,
) -> None:
    """Look for what would keep jobs from running: each line with its remedy.

    It changes nothing, needs no root, and waits for nothing longer than some seconds. The exit
    status is 1 if there is a problem; warnings alone leave it 0.
    """
    if mail is not None:
        _check_address(mail)
    known = within(
        examination.CHECK_LIMIT,
        lambda: facts.gather(files, state, system=system, json=json),
        "the crontabs and the state",
    )
    found: list[Diagnosis] = []
    for each in _findings(known, state, notify=notify, mail=mail):
        found.append(each)
        _tell(each, json=json)
    if not json:
        output.say(_summary(found))
    if any(each.level is DiagnosisLevel.PROBLEM for each in found):
        raise typer.Exit(1)


def _check_address(text: str) -> None:
    """Refuse what is no address, or a list of them, of `--mail`."""
    found = mail_variables.addresses(text)
    for bad in found.bad:
        raise typer.BadParameter(f"{bad.message}; {bad.hint}", param_hint="--mail")
    if not found.good:
        hint = "it names no address; such as me@example.org"
        raise typer.BadParameter(hint, param_hint="--mail")


def _findings(
    known: MachineFacts, state: Path | None, *, notify: bool, mail: str | None
) -> Iterator[Diagnosis]:
    yield from examination.findings(_checks(known, state))
    if mail is not None:
        send = partial(mail_way.sent, known, mail)
        yield from examination.findings((Check("mail sent", send, mail_way.SENDING_LIMIT),))
    if notify:
        show = Check(
            "notification",
            partial(shown_notification.show, known),
            shown_notification.SHOWING_LIMIT,
        )
        for each in examination.findings((show,)):
            yield _asked(each)


def _checks(known: MachineFacts, state: Path | None) -> Sequence[Check]:
    return (
        Check("daemon", partial(daemons.answers, known)),
        Check("other daemons", partial(daemons.others, known)),
        Check("other crons", partial(other_crons.same_jobs, known)),
        Check("crontabs", partial(job_lines.lines, known)),
        Check("programs", partial(job_lines.programs, known)),
        Check("extras", partial(job_lines.extras, known)),
        Check("addresses", partial(alert_addresses.known, known)),
        Check("alerts", partial(alerts_given_up.lately, known)),
        Check("machine's zone", partial(zones.machines, known)),
        Check("zone data", partial(zones.data, known)),
        Check("clock", clock_set.synchronised),
        Check("state folder", partial(state_disk.folder, known)),
        Check("disk", partial(state_disk.room, known)),
        Check("journal", partial(state_disk.journal, known, state)),
        Check("ulimits", partial(daemon_limits.of_process, known)),
        Check("unit", partial(daemon_limits.of_unit, known)),
        Check("mail", partial(mail_way.found, known)),
    )


def _asked(found: Diagnosis) -> Diagnosis:
    """Ask a person at a terminal whether the notification that somebody took was seen."""
    if found.level is DiagnosisLevel.PROBLEM or not _is_somebody_there():
        return found
    if output.confirmed("Did you see the notification?", default=False):
        return found
    return shown_notification.not_seen(found)


def _is_somebody_there() -> bool:
    return sys.stdin.isatty() and output.is_terminal()


def _tell(found: Diagnosis, *, json: bool) -> None:
    if json:
        output.row(
            {
                "check": found.check,
                "level": found.level.value,
                "message": found.message,
                "remedy": found.remedy or None,
            }
        )
        return
    indent = _LEVEL_WIDTH + _CHECK_WIDTH
    head = f"{found.level.value:<{_LEVEL_WIDTH}}{found.check:<{_CHECK_WIDTH}}{found.message}"
    output.line(head, _LEVEL_STYLES[found.level], indent=indent)
    if found.remedy:
        output.line(f"{'':{indent}}{found.remedy}", indent=indent)


def _summary(found: Sequence[Diagnosis]) -> str:
    levels = [each.level for each in found]
    problems, warnings = levels.count(DiagnosisLevel.PROBLEM), levels.count(DiagnosisLevel.WARNING)
    return f"{counted(problems, 'problem')}, {counted(warnings, 'warning')}"
