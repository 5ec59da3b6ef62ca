"""A job in, run now in the foreground as its daemon would run it; its exit status out: `exec`."""

from __future__ import annotations

import os

import typer

from scheduler.cli import client, completion, inherited, job_line, options, output, which_daemon
from scheduler.cli.state_folder import State
from scheduler.entry import Entry
from scheduler.errors import NoAnswer, NoDaemon
from scheduler.process import foreground
from scheduler.process.foreground import ForegroundEnd
from scheduler.run import Exited, Limit, NotStarted
from scheduler.schedule import duration
from scheduler.system.clock import RealClock

app = typer.Typer()

COULD_NOT_START = 125  # as timeout(1) and env(1) end where it is they who fail
_SIGNALLED = 128  # sh(1): and the signal
_WAITS_FOR_DAEMON = 2.0  # seconds
_SETTINGS = {Limit.MEMORY: "CRON_MEMORY", Limit.CPU: "CRON_CPU"}


@app.command("exec", epilog="Example:  meridian exec nightly-backup")
def execute(
    job: completion.Job,
    files: options.Files = None,
    system: options.SystemForm = False,
    state: State = None,
) -> None:
    """Run a job now, in the foreground, once.

    In the environment, folder and limits that its daemon gives it, with its standard input and its
    CRON_TIMEOUT; its output comes here, both streams as one. The exit status is the job's, 128 and
    the signal that ended it, or 125 where it could not start. Nothing of it is in the journal,
    nobody is alerted, nothing is retried, and no overlap or pool keeps it from its start. In it
    CRON_RUN is 0.
    """
    entry = job_line.of_job(job, files, system=system, state=state, json=False)
    found = inherited.by_jobs(state)
    if which_daemon.runs(entry):
        found = inherited.of_entry(entry, state)
    output.note(found.said)
    _warn_of_runs(entry, state)
    if found.umask is not None:
        os.umask(found.umask)
    end = foreground.run(entry, found.inheritance, RealClock())
    _say_why(entry, end)
    raise typer.Exit(_status(end))


def _warn_of_runs(entry: Entry, state: State) -> None:
    """Say that the job runs already: nothing here keeps the two apart."""
    try:
        running = client.snapshot(state, timeout=_WAITS_FOR_DAEMON).running
    except (NoDaemon, NoAnswer):
        return
    for each in running:
        if each.job == entry.job:
            output.note(f"warning: run {each.run} of {entry.job} goes on beside this one")


def _say_why(entry: Entry, end: ForegroundEnd) -> None:
    """Say what ended it, if it was not the job itself."""
    if isinstance(end.outcome, NotStarted):
        output.complain(f"{entry.job} did not start: {end.outcome.why}")
    elif end.timed_out:
        limit = duration.to_text(entry.settings.timeout or 0)
        output.complain(f"{entry.job} was ended: CRON_TIMEOUT={limit} had passed")
    elif end.limit is not None:
        output.complain(f"{entry.job} came to its {_SETTINGS[end.limit]}")


def _status(end: ForegroundEnd) -> int:
    if isinstance(end.outcome, NotStarted):
        return COULD_NOT_START
    outcome = end.outcome
    return outcome.code if isinstance(outcome, Exited) else _SIGNALLED + outcome.signal
