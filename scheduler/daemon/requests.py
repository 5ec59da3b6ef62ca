"""Where requests to a running daemon are answered: a request in, done and the reply out.

It is asked by the daemon's loop alone, so nothing else goes on meanwhile.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, assert_never

from scheduler.daemon import rights
from scheduler.errors import JournalError
from scheduler.journal import past_runs
from scheduler.past import History, HistoryReply, OpenOutput, Output, OutputReply
from scheduler.process.output_files import opened_output
from scheduler.protocol import (
    Inherited,
    Kill,
    Pause,
    PauseReply,
    Reload,
    RemoveTable,
    Resume,
    ResumeReply,
    Retry,
    RunReply,
    SaveTable,
    Table,
    Trigger,
)
from scheduler.status import Status
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scheduler.daemon.entries import EntriesInForce
    from scheduler.daemon.reloader import Reloader
    from scheduler.daemon.snapshot import Snapshots
    from scheduler.journal.journal import Journal
    from scheduler.journal.rows import RunRow
    from scheduler.pause import Paused
    from scheduler.peer import Peer
    from scheduler.protocol import Answered, InheritedEnvironment, PresentRequest, Request
    from scheduler.runs.lifecycle import Runs
    from scheduler.runs.manual import ByHandResult
    from scheduler.system.clock import Clock

_STOPPING = Refused("stopping", "the daemon is stopping, and begins nothing new")
# A system daemon's never get here: see `user_tables`.
_NO_TABLES = Refused("not-system", "this is no system daemon, and has no tables of users")
_STILL_ANSWERED = Status | Kill | Inherited | History | Output


class Requests:
    """Owns whether the daemon still takes requests; all else is asked of the daemon's parts.

    The loop calls `answer`, once a request; the reloader reads the crontabs. Whatever a request
    does is whole before its reply is built, and the reply tells what is true at that moment.
    """

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        state: Path,
        in_force: EntriesInForce,
        runs: Runs,
        snapshots: Snapshots,
        reloader: Reloader,
        inherited: InheritedEnvironment,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._state = state
        self._in_force = in_force
        self._runs = runs
        self._snapshots = snapshots
        self._reloader = reloader
        self._inherited = inherited
        self.is_closed = False  # the daemon is stopping: it says what there is, and ends what runs

    def answer(self, request: Request, peer: Peer) -> Answered | Refused | None:
        """Carry a peer's request out, if it may ask that; what the journal refuses is not done.

        And it is said so; but for a kill, whose process is signalled all the same. None is a reload
        that has to wait for calendars; see `answer_reload`.
        """
        try:
            row = self._row(request, peer)
            run = None if row is None else row.run
            if refused := rights.refusal(peer, request, self._in_force.entries, run):
                return refused
            if self.is_closed and not isinstance(request, _STILL_ANSWERED):
                return _STOPPING
            if isinstance(request, History | Output):
                return self._past(request, peer, row)
            return self._answer(request, peer)
        except JournalError as error:
            why = str(error) if peer.is_admin else rights.JOURNAL_REFUSES
            return Refused("journal", why)

    def answer_reload(self) -> Answered | Refused | None:
        """Return the reply to a reload that had to wait; None while it has to."""
        if self.is_closed:
            return _STOPPING
        return None if self._reloader.is_asked else self._snapshots.crontabs()

    def _answer(self, request: PresentRequest, peer: Peer) -> Answered | Refused | None:
        reply: Answered | Refused | None
        match request:
            case Status(jobs):
                reply = self._snapshots.take(jobs, peer, is_stopping=self.is_closed)
            case Trigger() | Retry() | Kill():
                reply = self._of_run(self._moved(request))
            case Pause(jobs, until, note):
                before = tuple(self._pauses_of(jobs))
                refused = self._runs.manual.pause(jobs, until, note)
                reply = refused or PauseReply(jobs, until, before)
            case Resume(jobs):
                reply = self._runs.manual.resume(jobs) or ResumeReply(jobs)
            case Reload():
                self._reloader.reload()
                reply = self.answer_reload()
            case Inherited():
                reply = self._inherited
            case Table() | SaveTable() | RemoveTable():
                reply = _NO_TABLES
            case _:
                assert_never(request)
        return reply

    def _moved(self, request: Trigger | Retry | Kill) -> ByHandResult | Refused:
        manual = self._runs.manual
        match request:
            case Trigger(job):
                return manual.trigger(job)
            case Retry(run):
                return manual.retry(run)
            case Kill(run):
                return manual.kill(run)

    def _row(self, request: Request, peer: Peer) -> RunRow | None:
        """Return the run that a request is about, if the journal must be asked.

        Root's kill signals a process, though the journal may not be read.
        """
        number = rights.run_of(request)
        is_asked = not peer.is_admin or isinstance(request, History | Output)
        return None if number is None or not is_asked else self._journal.queries.run(number)

    # --- what has been -------------------------------------------------------------------------

    def _past(
        self, request: History | Output, peer: Peer, row: RunRow | None
    ) -> Answered | Refused:
        if isinstance(request, Output):
            return self._output(request, row)
        if request.run is not None:
            return HistoryReply(() if row is None else (past_runs.told(row),), None)
        rows, more = self._journal.pages.of(request, None if peer.is_admin else peer.user)
        return HistoryReply(tuple(map(past_runs.told, rows)), None if more is None else str(more))

    def _output(self, asked: Output, row: RunRow | None) -> Answered | Refused:
        """Return what an attempt wrote, to be opened when the reply is sent."""
        if row is None:
            return Refused("no-such-run", f"There is no run {asked.run}")
        for attempt in row.attempts:
            if attempt.number == asked.attempt:
                path = self._state / attempt.output
                reply = OutputReply(asked.run, row.run.job, attempt.number)
                return OpenOutput(reply, partial(opened_output, path))
        return Refused("no-such-run", f"Run {asked.run} has no attempt {asked.attempt}")

    # --- replies -------------------------------------------------------------------------------

    def _of_run(self, done: ByHandResult | Refused) -> RunReply | Refused:
        if isinstance(done, Refused):
            return done
        row = self._runs.journalled(done.run)
        return RunReply(
            run=done.run.number,
            job=done.run.job,
            at=done.run.instant,
            attempt=done.attempt,
            state=row.state.value,
            reason=None if row.reason is None else row.reason.value,
        )

    def _pauses_of(self, jobs: Iterable[str]) -> Iterator[Paused]:
        """Yield the pauses in force of these jobs."""
        now = self._clock.now()
        found = (self._runs.pauses.at(job, now) for job in jobs)
        return (paused for paused in found if paused is not None)
