"""Events in, lines of the log out."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from scheduler.run import Done, GiveUp, RetryAt
from scheduler.runs import events, messages

if TYPE_CHECKING:
    from scheduler.runs.events import Event
    from scheduler.system.log import Log


class LogListener:
    """Tells a log of events; nothing of the starts and successes of a quiet entry.

    It owns nothing. `Events` calls `hear`, after the commit that an event came of. Invariant: each
    event is one line at most (RunQueued and RunStopping are none: what comes of them is), and what
    it says is taken from the event alone.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def hear(self, event: Event) -> None:
        """See Listener."""
        match event:
            case events.RunStarted(_, entry) | events.RunSucceeded(_, entry) if (
                entry is not None and entry.flags.is_quiet
            ):
                pass
            case events.RunQueued() | events.RunStopping():
                pass
            case (
                events.RunStarted() | events.RunAdopted() | events.RunWaits() | events.SlotAwaited()
            ):
                self._goes_on(event)
            case (
                events.RunSucceeded()
                | events.RetryScheduled()
                | events.RunFailed()
                | events.RunSkipped()
                | events.ProcessesLeft()
            ):
                self._ends(event)
            case (
                events.CrontabLoaded()
                | events.JournalTrouble()
                | events.JournalRecovered()
                | events.StartsRefused()
                | events.StartsRecovered()
            ):
                self._of_daemon(event)
            case _:
                self._of_time(event)

    def _goes_on(
        self,
        event: events.RunStarted | events.RunAdopted | events.RunWaits | events.SlotAwaited,
    ) -> None:
        match event:
            case events.RunStarted(at, entry, attempt, pid):
                facts = messages.start_facts(entry, attempt, pid, started=at)
                self._log.info("started", **facts)
            case events.RunAdopted(_, attempt, pid):
                self._log.info("adopted", **messages.adopted_facts(attempt.run, pid))
            case events.RunWaits(at, entry, run, due, made_up):
                facts = messages.wait_facts(entry, run, due, at, made_up=made_up)
                self._log.info("waits", **facts)
            case events.SlotAwaited(at, entry, run, reason):
                self._log.info("waits", **messages.line_facts(entry, run, reason, at))
            case _:
                assert_never(event)

    def _ends(
        self,
        event: events.RunSucceeded
        | events.RetryScheduled
        | events.RunFailed
        | events.RunSkipped
        | events.ProcessesLeft,
    ) -> None:
        match event:
            case events.RunSucceeded(_, _, attempt, ending):
                self._log.info("succeeded", **messages.end_facts(attempt, ending, Done()))
            case events.RetryScheduled(_, _, attempt, ending, due):
                self._log.info("retry", **messages.end_facts(attempt, ending, RetryAt(due)))
            case events.RunFailed(_, _, _, reason, attempt, ending) if attempt and ending:
                facts = messages.end_facts(attempt, ending, GiveUp(reason))
                self._log.warning("failed", **facts)
            case events.RunFailed(_, _, run, reason):
                self._log.info("failed", **messages.close_facts(run, reason))
            case events.RunSkipped(_, _, run, reason):
                self._log.info("skipped", **messages.close_facts(run, reason))
            case events.ProcessesLeft(_, attempt, number):
                self._log.warning("left behind", **messages.left_facts(attempt, number))
            case _:
                assert_never(event)

    def _of_time(
        self,
        event: events.InstantsSkipped
        | events.InstantKnown
        | events.CatchUpBegun
        | events.ClockJumped,
    ) -> None:
        match event:
            case events.InstantsSkipped(at, skipped):
                self._log.info("skipped", **messages.skip_facts(skipped, at))
            case events.InstantKnown(at, entry, instant):
                self._log.info("passed", **messages.known_facts(entry, instant, at))
            case events.CatchUpBegun(at, entry, backlog):
                self._log.info("catch-up", **messages.backlog_facts(entry, backlog, at))
            case events.ClockJumped(_, jump, made_up, left_out):
                facts = messages.jump_facts(jump, made_up=made_up, left_out=left_out)
                self._log.warning("jump", **facts)
            case _:
                assert_never(event)

    def _of_daemon(
        self,
        event: events.CrontabLoaded
        | events.JournalTrouble
        | events.JournalRecovered
        | events.StartsRefused
        | events.StartsRecovered,
    ) -> None:
        match event:
            case events.CrontabLoaded():
                self._log.info("crontabs", **messages.crontab_facts(event))
            case events.JournalTrouble(_, why):
                self._log.error("journal", error=why, say=why)
            case events.JournalRecovered():
                self._log.info("recovered", say="the journal takes everything again")
            case events.StartsRefused(_, why):
                self._log.error("starts", error=why, say=f"no job can start: {why}")
            case events.StartsRecovered():
                self._log.info("recovered", say="jobs start again")
            case _:
                assert_never(event)
