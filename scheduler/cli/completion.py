"""Arguments that name a job or a run, and the names that a shell offers for them at Tab."""

from __future__ import annotations

from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import client, crontabs, machine_table, state_folder, which_daemon
from scheduler.cli.machine_past import MachinePast
from scheduler.cli.which_daemon import MACHINE, Machine
from scheduler.system import crontab_files, crontab_loader, local_zone

_SHORT_TIMEOUT = 2.0  # seconds
_RUNS_ASKED_FOR = 50  # runs of which the jobs are offered
_LARGEST = 1 << 20  # bytes of crontabs that are read while somebody waits for a Tab


def jobs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names that begin so, by the journal and the user's crontabs; never fails.

    Where the command is about the machine's daemon, by what that tells.
    """
    names: set[str] = set()
    state = ctx.params.get("state")  # as typed: nothing is converted yet
    folder = None if state is None else Path(state)
    machines = (_known_to_machine, _ran_by_machine, _in_machine_table)
    for known in (
        partial(_in_journal, folder),
        partial(_in_crontabs, folder),
        *(machines if _is_machines(ctx, folder) else ()),
    ):
        with suppress(Exception):  # whatever is wrong, the command itself will say it
            names.update(known())
    return sorted(name for name in names if name.startswith(incomplete))


def _in_journal(state: Path | None) -> list[str]:
    with closing(state_folder.journal(state)) as journal:
        return journal.queries.jobs()


def _in_crontabs(state: Path | None) -> list[str]:
    paths = state_folder.here(state)
    files = crontab_files.own_files(paths)
    if (
        sum(Path(file).stat().st_size for file in files if crontab_files.is_there(Path(file)))
        > _LARGEST
    ):
        return []
    zone, _ = local_zone.machine_zone()
    how = crontabs.read_options(
        zone, named=False, system=paths.folder is not None, keep_others=True
    )
    return [entry.job for entry in crontab_loader.load(files, how).entries]


def _is_machines(ctx: typer.Context, state: Path | None) -> bool:
    """Say whether the command is about the machine's daemon.

    Whether --system was typed, too: by that name, some commands have an option for the form.
    """
    named = any("--system" in option.opts for option in ctx.command.params)
    with suppress(Exception):  # as above
        meant = which_daemon.chosen(state, system=named and bool(ctx.params.get("system")))
        return isinstance(meant, Machine)
    return False


def _known_to_machine() -> list[str]:
    """Return the jobs of one's own that the machine's daemon tells of."""
    snapshot = client.snapshot(MACHINE, timeout=_SHORT_TIMEOUT)
    names = [run.job for run in snapshot.running] + [run.job for run in snapshot.waiting]
    return names + [paused.job for paused in snapshot.paused] + [run.job for run in snapshot.coming]


def _ran_by_machine() -> list[str]:
    return [row.run.job for row in MachinePast().history(limit=_RUNS_ASKED_FOR)]


def _in_machine_table() -> list[str]:
    table = machine_table.asked()
    if table is None or len(table.text) > _LARGEST:
        return []
    zone, _ = local_zone.machine_zone()
    return [entry.job for entry in crontabs.of_table(table, zone).entries]


Job = Annotated[
    str,
    typer.Argument(metavar="JOB", help="The job's name.", autocompletion=jobs),
]
Jobs = Annotated[
    list[str],
    typer.Argument(metavar="JOB...", help="The jobs' names.", autocompletion=jobs),
]
RunOrJob = Annotated[
    str,
    typer.Argument(
        metavar="RUN|JOB",
        help="The run's number, as in meridian history; or its job, if only one run is meant.",
        autocompletion=jobs,
    ),
]
