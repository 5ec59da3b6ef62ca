"""What another cron runs on this machine in, the same by Meridian out, and back: `adopt`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Annotated

import typer

from scheduler.cli import client, json_rows, options, output, problems_view
from scheduler.cli.adopt import crons_tables, crons_units, differences, handover
from scheduler.cli.adopt.differences import CronFacts, Difference
from scheduler.cli.own_zone import own_zone
from scheduler.entry import Entry, Problem, Severity
from scheduler.errors import MeridianError, NoAnswer, NoDaemon
from scheduler.redact import mask_command
from scheduler.system import cron_lock
from scheduler.system.clock import RealClock
from scheduler.system.crontab_loader import Loaded
from scheduler.text import counted

app = typer.Typer()

_TABLES_HEADER = ("LINE", "JOB", "USER", "SCHEDULE", "COMMAND")
TAKE, GIVE_BACK = "--take", "--give-back"
_JOBS_OF_MANY = 4  # jobs that are named of many

Take = Annotated[
    bool, typer.Option(TAKE, help="Stop the other crons for good, and run their tables.")
]
GiveBack = Annotated[
    bool, typer.Option(GIVE_BACK, help="Let the other crons run their tables again.")
]
Anyway = Annotated[
    bool,
    typer.Option(
        "--anyway", help="Go on though jobs run, which the restart ends, or lines are refused."
    ),
]


@app.command(epilog="Example:  meridian adopt")
def adopt(
    take: Take = False,
    give_back: GiveBack = False,
    anyway: Anyway = False,
    json: options.Json = False,
) -> None:
    """Show what cron and anacron run here; take it over, or give it back.

    Each table is shown, and what Meridian would do differently. Without an option nothing is
    changed. The tables stay where they are, and crontab(1) goes on to edit them. cron and Meridian
    never run them at once. While anacron runs, or waits for its delays, nothing is taken over.
    """
    if take and give_back:
        raise typer.BadParameter("--take and --give-back are two ways: give one")
    if json and (take or give_back):
        raise typer.BadParameter("--json is for what is shown; --take and --give-back tell steps")
    if not take and not give_back:
        _show(json=json)
        return
    _check_root(GIVE_BACK if give_back else TAKE)
    if not anyway:
        _check_running()
    if give_back and handover.is_taken():
        _check_plain(anyway=anyway)
    if take and not anyway:
        _check_lines()
    try:
        _hand_over(give_back=give_back, anyway=anyway)
    except OSError as error:
        raise MeridianError(f"{error.filename}: {error.strerror}") from error


def _hand_over(*, give_back: bool, anyway: bool) -> None:
    check = handover.nothing if anyway else _check_running  # again: a job may start meanwhile
    if give_back:
        handover.give_back(output.say, check, anyway=anyway)
        output.say("cron has its tables again.")
    else:
        handover.take(output.say, check)
        output.say("Meridian runs cron's tables now; meridian adopt --give-back undoes it.")


def _check_root(option: str) -> None:
    if os.geteuid() != 0:
        what = "stop cron" if option == TAKE else "start cron again"
        raise MeridianError(f"only root can {what}: sudo meridian adopt {option}")
    if not crons_units.has_systemd():
        way = "stop cron and anacron for good, then start: meridian run --system"
        raise MeridianError(f"this machine is not run by systemd; {way}; docs/adopt.md says how")


def _check_running() -> None:
    """Refuse to restart the daemon while jobs run: that ends them."""
    try:
        running = client.snapshot(None).running
    except (NoDaemon, NoAnswer):
        return
    if running:
        jobs = _some(each.job for each in running)
        hint = "wait for them (meridian status --watch), or give --anyway"
        raise MeridianError(f"the daemon is to be restarted, which would end {jobs}; {hint}")


def _check_lines() -> None:
    """Refuse to take over tables of which lines would not run."""
    loaded = crons_tables.load(own_zone())
    if refused := [each for each in loaded.problems if each.severity is Severity.ERROR]:
        _refuse(refused, "of cron's would not run here")


def _check_plain(*, anyway: bool) -> None:
    """Tell of lines that cron would not run as Meridian does, and refuse to give back such ones.

    What can't be read keeps nobody from giving back anyway.
    """
    with suppress(*((OSError, MeridianError) if anyway else ())):
        found = crons_tables.plain_doubts(crons_tables.load(own_zone()))
        if anyway:
            problems_view.show(found, err=True)
        elif found:
            _refuse(found, "would be refused by Debian's cron, or read otherwise")


def _refuse(found: Sequence[Problem], why: str) -> None:
    problems_view.show(found, err=True)
    tables = sum(each.line == 0 for each in found)
    counts = ((tables, "table"), (len(found) - tables, "line"))
    what = " and ".join(counted(number, noun) for number, noun in counts if number)
    raise MeridianError(f"nothing is changed: {what} {why}; mend them, or give --anyway")


def _show(*, json: bool) -> None:
    zone = own_zone()
    loaded = crons_tables.load(zone)
    facts = crons_tables.facts(zone, RealClock().now().astimezone(zone).year, loaded)
    if json:
        _print_rows(loaded, facts)
    else:
        _print(loaded, facts)
    problems_view.mention(loaded.problems)
    if crons_tables.hides_users():
        output.note("which users have tables, you too, only root sees: sudo meridian adopt")
    problems_view.end(loaded.problems)


def _print_rows(loaded: Loaded, facts: CronFacts) -> None:
    folders = crons_tables.scripts(loaded.entries)
    for entry in loaded.entries:
        found = differences.of_entry(entry, facts)
        runs = {name: list(scripts) for name, (scripts, who) in folders.items() if entry in who}
        rows = [{"topic": d.topic, "here": d.here, "there": d.there} for d in found]
        output.row(json_rows.of_entry(entry) | {"run_parts": runs, "differences": rows})


def _print(loaded: Loaded, facts: CronFacts) -> None:
    for table in loaded.crontabs:
        what = "not read" if table.file in loaded.failed else counted(len(table.entries), "job")
        output.say(f"{table.file}: {what}", style="bold")
        if table.entries:
            output.table(_TABLES_HEADER, [_cells(entry) for entry in table.entries])
        output.say("")
    if not loaded.crontabs:
        output.say("cron and anacron have no tables here.")
    for folder, (names, runners) in crons_tables.scripts(loaded.entries).items():
        who = _some(entry.job for entry in runners)
        output.say(f"{folder}, run by {who}: {', '.join(names) or 'empty'}")
    _print_differences(loaded.entries, facts)
    output.say("")
    output.say(_now())


def _cells(entry: Entry) -> tuple[str, ...]:
    user = entry.user or "root"
    return (str(entry.line), entry.job, user, entry.schedule_text, mask_command(entry))


def _print_differences(entries: Sequence[Entry], facts: CronFacts) -> None:
    found = differences.gathered(entries, facts)
    if not found:
        return
    output.say("")
    output.say("What Meridian does differently", style="bold")
    for each, whose in found.items():
        output.line(f"  {_whose(each, whose, len(entries))}", indent=4)
        output.line(f"    here:  {each.here}", indent=11)
        output.line(f"    there: {each.there}", indent=11)


def _whose(each: Difference, whose: Sequence[Entry], total: int) -> str:
    jobs = "all jobs" if len(whose) == total > 1 else _some(entry.job for entry in whose)
    return f"{each.topic}, of {jobs}"


def _now() -> str:
    """Return who runs the tables now, and what would change that."""
    try:
        found = cron_lock.holder()
    except OSError as error:
        return f"Who runs them now can't be told: {error.strerror}"
    if found is None:
        return "No cron runs them now that can be seen; as root, meridian adopt --take does."
    who = f"pid {found.pid}" if found.pid else "pid unknown"
    if found.is_meridian:
        return f"Meridian runs them ({who}); as root, meridian adopt --give-back undoes it."
    name = found.name or "a cron daemon"
    return f"{name} runs them ({who}); as root, meridian adopt --take stops it for good{_units()}."


def _units() -> str:
    if not crons_units.has_systemd():
        return ""
    try:
        names = handover.planned()
    except MeridianError:
        return ""
    return f" (systemctl mask --now {' '.join(names)})" if names else ""


def _some(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _JOBS_OF_MANY} more" if len(found) > _JOBS_OF_MANY else ""
    return ", ".join(found[:_JOBS_OF_MANY]) + more
