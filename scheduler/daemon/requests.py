"""Where requests to a running daemon are answered: a request in, done and the reply out.

It is asked by the daemon's loop alone, so nothing else goes on meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from scheduler.daemon import rights
from scheduler.errors import JournalError
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

    from scheduler.daemon.reloader import Reloader
    from scheduler.daemon.snapshot import Snapshots
    from scheduler.pause import Paused
    from scheduler.peer import Peer
    from scheduler.protocol import Answer, InheritedEnvironment, Request
    from scheduler.runs.lifecycle import Runs
    from scheduler.runs.manual import ByHandResult
    from scheduler.system.clock import Clock

_STOPPING = Refused("stopping", "the daemon is stopping, and begins nothing new")
# A system daemon's never get here: see `user_tables`.
_NO_TABLES = Refused("not-system", "this is no system daemon, and has no tables of users")


class Requests:
    """Owns whether the daemon still takes requests; all else is asked of the daemon's parts.

    The loop calls `answer`, once a request; the reloader reads the crontabs. Whatever a request
    does is whole before its reply is built, and the reply tells what is true at that moment.
    """

    def __init__(
        self,
        clock: Clock,
        runs: Runs,
        snapshots: Snapshots,
        reloader: Reloader,
        inherited: InheritedEnvironment,
    ) -> None:
        self._clock = clock
        self._runs = runs
        self._snapshots = snapshots
        self._reloader = reloader
        self._inherited = inherited
        self.is_closed = False  # the daemon is stopping: it says what there is, and ends what runs

    def answer(self, request: Request, peer: Peer) -> Answer | Refused | None:
        """Carry a peer's request out, if it may ask that; what the journal refuses is not done.

        And it is said so; but for a kill, whose process is signalled all the same. None is a reload
        that has to wait for calendars; see `answer_reload`.
        """
        if refused := rights.refusal(peer, request):
            return refused
        if self.is_closed and not isinstance(request, Status | Kill | Inherited):
            return _STOPPING
        try:
            return self._answer(request)
        except JournalError as error:
            return Refused("journal", str(error))

    def answer_reload(self) -> Answer | Refused | None:
        """Return the reply to a reload that had to wait; None while it has to."""
        if self.is_closed:
            return _STOPPING
        return None if self._reloader.is_asked else self._snapshots.crontabs()

    def _answer(self, request: Request) -> Answer | Refused | None:
        reply: Answer | Refused | None
        match request:
            case Status(jobs):
                reply = self._snapshots.take(jobs, is_stopping=self.is_closed)
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
