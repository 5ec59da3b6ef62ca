"""A question about one's own runs in, what the machine's daemon tells of them out.

For those who can't read its journal; in the form in which the journal tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from scheduler.cli.failing_jobs import FailingJob
from scheduler.cli.which_daemon import ask_machine, ask_machine_for_file
from scheduler.cli.which_run import NothingThere
from scheduler.codec import decode
from scheduler.errors import NoAnswer
from scheduler.journal import past_runs
from scheduler.journal.rows import AttemptRow, RunRow
from scheduler.past import History, HistoryReply, Output, Page
from scheduler.process.output_files import Reader
from scheduler.run import Reason, State
from scheduler.wire import Refused

_ON_PURPOSE = (Reason.KILLED, Reason.REPLACED, Reason.STOPPED)  # such an end is no failure
_MOST_FAILING = 20  # jobs that are looked at, since each is a request or more


class MachinePast:
    """Tells of runs of the machine's daemon that are the asker's, as `Queries` does of a journal.

    Owns nothing: each answer is asked for. The commands history, logs and status call it, and those
    that look for the run of a job. Raises NoDaemon and NoAnswer.
    """

    def history(
        self,
        job: str | None = None,
        *,
        since: datetime | None = None,
        before: datetime | None = None,
        failed: bool = False,
        limit: int | None = None,
    ) -> list[RunRow]:
        """Return the newest `limit` runs (None: all), newest last."""
        asked = History(job or "", since=since, before=before, failed=failed)
        found: list[RunRow] = []
        for row in _each(asked):
            if limit is not None and len(found) >= limit:
                break
            found.append(row)
        return found[::-1]

    def run(self, number: int) -> RunRow | None:
        """Return the run of this number; None if none of one's own has it."""
        reply = ask_machine(History(run=number))
        if isinstance(reply, Refused) and reply.code == "no-such-run":
            return None
        return next(iter(_rows(_decoded(reply))), None)

    def latest(self, job: str, now: datetime) -> RunRow | None:
        """Return the job's newest run by now that has an attempt, or else a later one."""
        later: RunRow | None = None
        for row in _each(History(job)):
            if row.attempts and row.run.instant <= now:
                return row
            later = later or (row if row.attempts else None)
        return later

    def open_of(self, job: str) -> list[RunRow]:
        """Return a job's runs that are not over, oldest first."""
        rows = self.history(job)
        return [row for row in rows if row.state in (State.SCHEDULED, State.RUNNING)]

    def failed_since_success(self, job: str) -> list[RunRow]:
        """Return the runs of a job that have failed since one succeeded, oldest first."""
        found: list[RunRow] = []
        for row in _each(History(job)):
            if row.state is State.SUCCEEDED:
                break
            found += [row] if row.state is State.FAILED else []
        return found[::-1]

    def failing(self, now: datetime) -> list[FailingJob]:
        """Return the jobs whose newest finished run by now failed, as far as a page tells."""
        rows, _ = _page(History(failed=True))
        jobs = sorted({row.run.job for row in rows})[:_MOST_FAILING]
        return [found for job in jobs if (found := _failing(job, now)) is not None]

    def opened(self, run: RunRow, attempt: AttemptRow) -> Reader:
        """Return what an attempt has written, as it is and as it grows; or NothingThere."""
        reply, file = ask_machine_for_file(Output(run.run.number, attempt.number))
        if isinstance(reply, Refused):
            raise NothingThere(reply.message)
        if file is None:
            raise NoAnswer("the machine's daemon sent no file with its answer")
        return Reader(file)


def _failing(job: str, now: datetime) -> FailingJob | None:
    failed: list[RunRow] = []
    for row in _each(History(job)):
        is_over = row.state in (State.SUCCEEDED, State.FAILED)
        if not is_over or row.reason in _ON_PURPOSE or row.run.instant > now:
            continue
        if row.state is State.SUCCEEDED:
            break
        failed.append(row)
    return FailingJob(failed[0], failed[-1].run.instant, len(failed)) if failed else None


def _each(asked: History) -> Iterator[RunRow]:
    """Yield runs, the newest first; the next page is asked for when it is needed."""
    more: Page | None = None
    while True:
        rows, more = _page(replace(asked, page=more))
        yield from rows
        if more is None:
            return


def _page(asked: History) -> tuple[Sequence[RunRow], Page | None]:
    reply = _decoded(ask_machine(asked))
    try:
        return _rows(reply), None if reply.next_page is None else Page.of(reply.next_page)
    except ValueError as error:
        raise NoAnswer(f"the machine's daemon names no page with {error}") from error


def _decoded(reply: object) -> HistoryReply:
    if isinstance(reply, Refused):
        raise NoAnswer(f"the machine's daemon refuses: {reply.message}")
    return decode(HistoryReply, reply)


def _rows(reply: HistoryReply) -> list[RunRow]:
    return [past_runs.heard(told) for told in reply.runs]
