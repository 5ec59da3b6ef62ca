"""Arguments that name a job or a run, and the names that a shell offers for them at Tab."""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import crontabs, state_folder
from scheduler.system import crontab_files, crontab_loader, local_zone

_LARGEST = 1 << 20  # bytes of crontabs that are read while somebody waits for a Tab


def jobs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names that begin so, by the journal and the user's crontabs; never fails."""
    names: set[str] = set()
    state = ctx.params.get("state")  # as typed: nothing is converted yet
    for known in (_in_journal, _in_crontabs):
        with suppress(Exception):  # whatever is wrong, the command itself will say it
            names.update(known(None if state is None else Path(state)))
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
