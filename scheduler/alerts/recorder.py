"""Events in, rows of what somebody is to hear out, in the commit of what they tell of.

| what happens | who hears, if the crontab says so |
| --- | --- |
| a run starts, succeeds, fails | its CRON_PING: see ping_rules |
| a run is over, after its last attempt | its MAILTO, of the output: see mailto |
| a run has failed for good, not on purpose; one succeeds | its CRON_ALERT: see policy |
| a run never starts, against the entry's wish | its CRON_ALERT with `missed`: see reasons |
| a run takes unusually long and succeeds | its CRON_ALERT with `slow`: see slow |
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scheduler.alerts import facts, mailto, ping_rules, reasons, sendmail, slow
from scheduler.alerts.notifier import Notifier, rule_of
from scheduler.alerts.own_user import UNNAMED, OwnUser
from scheduler.alerts.policy import Failed, Missed, Succeeded, TookLong
from scheduler.crontab import mail_variables
from scheduler.notice import Kind, Notice
from scheduler.runs import events
from scheduler.schedule import counting
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from scheduler.entry import Entry
    from scheduler.journal.journal import Journal
    from scheduler.journal.rows import RunRow
    from scheduler.notice import Facts
    from scheduler.run import Reason, Run
    from scheduler.runs.events import Event

_OF_RUNS = (events.RunStarted, events.RunSucceeded, events.RunFailed, events.RunSkipped)


class AlertRecorder:
    """Writes who is to hear of an event.

    Owns: its way to the journal and to the outputs, who the daemon's own user is, and no memory. A
    transaction calls it, inside the commit. Invariant: it writes to the journal alone, and waits
    for nobody.
    """

    def __init__(
        self,
        journal: Journal,
        state: Path,
        own: OwnUser = UNNAMED,
        has_mailer: Callable[[], bool] = sendmail.is_there,
    ) -> None:
        self._journal = journal
        self._state = state
        self._own = own
        self._has_mailer = has_mailer
        self._notifier = Notifier(journal.outbox, own)

    def concerns(self, event: Event) -> bool:
        """See Recorder."""
        entry = _entry_of(event)
        return entry is not None and (_is_alerted(entry) or self._is_mailed(entry))

    def record(self, event: Event) -> None:
        """See Recorder."""
        entry = _entry_of(event)
        if entry is None:
            return
        match event:
            case events.RunStarted():
                self._ping(entry, event, lambda: self._begun(entry, event))
            case events.RunSucceeded():
                self._succeeded(entry, event)
            case events.RunFailed():
                self._failed(entry, event)
            case events.RunSkipped(at, _, run, reason):
                self._skipped(entry, at, reason, (run.instant, run.instant))
            case events.InstantsSkipped(at, skipped):
                self._skipped(entry, at, skipped.reason, (skipped.first, skipped.last))
            case _:
                pass

    def _succeeded(self, entry: Entry, event: events.RunSucceeded) -> None:
        told = _RunToTell(self._journal, entry, event.attempt.run, self._own)
        self._ping(entry, event, told.facts)
        self._mail(entry, event.at, told, has_failed=False)
        if not rule_of(entry).targets:
            return
        self._notifier.happened(entry, Succeeded(event.at), told.facts)
        if entry.settings.alert is not None and entry.settings.alert.slow:
            self._judge_length(entry, event, told)

    def _judge_length(self, entry: Entry, event: events.RunSucceeded, told: _RunToTell) -> None:
        took, run = event.ending.took, event.attempt.run
        if took is None:
            return
        queries = self._journal.queries
        earlier = queries.durations(run.job, besides=run.number, limit=slow.MOST_COMPARED)
        usual = slow.usual_if_slow(took, earlier)
        if usual is not None:
            length = replace(told.facts(), took=took, usual=usual)
            self._notifier.happened(entry, TookLong(event.at), lambda: length)

    def _failed(self, entry: Entry, event: events.RunFailed) -> None:
        told = _RunToTell(self._journal, entry, event.run, self._own, event.reason)
        self._ping(entry, event, told.facts)
        is_failure = event.reason not in reasons.ENDED_ON_PURPOSE
        self._mail(entry, event.at, told, has_failed=is_failure)
        if is_failure and entry.settings.alert is not None and entry.settings.alert.targets:
            outcome = facts.sameness(told.row(), event.reason)
            self._notifier.happened(entry, Failed(event.at, outcome), told.facts)

    def _skipped(
        self, entry: Entry, at: datetime, reason: Reason, span: tuple[datetime, datetime]
    ) -> None:
        rule = entry.settings.alert
        if rule is None or not rule.missed or not rule.targets:
            return
        if reasons.is_missed(entry, reason):
            first, last = span
            count = 1 if first == last else counting.number(entry, first, last)
            told = replace(self._of_entry(entry), scheduled=last, reason=reason.value)
            self._notifier.happened(entry, Missed(at, count, first), lambda: told)

    def _ping(self, entry: Entry, event: Event, told: Callable[[], Facts]) -> None:
        target, ping = ping_rules.target_of(entry), ping_rules.ping_of(event)
        if target is not None and ping is not None:
            pinged = replace(told(), detail=ping.value)
            user = self._own.speaker_of(entry)
            self._journal.outbox.add(Notice(target, Kind.PING, event.at, pinged, user=user))

    def _mail(self, entry: Entry, at: datetime, told: _RunToTell, *, has_failed: bool) -> None:
        if not self._is_mailed(entry):
            return
        has_output = any(self._has_written(each.output) for each in told.row().attempts)
        target = mailto.output_target(entry, has_failed=has_failed, has_output=has_output)
        if target is not None:
            self._notifier.tell(entry, target, Kind.OUTPUT, at, told.facts())

    def _begun(self, entry: Entry, event: events.RunStarted) -> Facts:
        run = event.attempt.run
        return replace(self._of_entry(entry), run=run.number, scheduled=run.instant)

    def _of_entry(self, entry: Entry) -> Facts:
        return facts.of_entry(entry, self._own.inherited_by(entry))

    def _is_mailed(self, entry: Entry) -> bool:
        """Say whether what it writes may be mailed: to a MAILTO, or to its user as cron does."""
        if any(name == mail_variables.MAILTO and value for name, value in entry.environment):
            return True
        return mailto.is_for_user(entry) and self._has_mailer()

    def _has_written(self, output: str) -> bool:
        try:
            return state_files.status(self._state / output).st_size > 0
        except OSError:
            return False


class _RunToTell:
    """A run that is over, and what there is to tell of it.

    Owns: what the journal has of it, once it was asked. Most runs have nothing to tell, and the
    journal is not read for them. Invariant: it lives for one event.
    """

    def __init__(
        self,
        journal: Journal,
        entry: Entry,
        run: Run,
        own: OwnUser,
        reason: Reason | None = None,
    ) -> None:
        self._journal = journal
        self._entry = entry
        self._run = run
        self._own = own
        self._reason = reason
        self._row: RunRow | None = None
        self._facts: Facts | None = None

    def row(self) -> RunRow:
        """Return the run as journalled."""
        if self._row is None:
            self._row = self._journal.queries.run(self._run.number)
        if self._row is None:
            raise LookupError(self._run.number)
        return self._row

    def facts(self) -> Facts:
        """Return what there is to tell."""
        if self._facts is None:
            row, speaker = self.row(), self._own.speaker_of(self._entry)
            told = facts.of_run(self._entry, row, self._own.inherited_by(self._entry), self._reason)
            is_theirs = speaker is None or row.run.user == speaker
            self._facts = told if is_theirs else facts.without_outputs(told)
        return self._facts


def _entry_of(event: Event) -> Entry | None:
    if isinstance(event, events.InstantsSkipped):
        return event.skipped.entry
    return event.entry if isinstance(event, _OF_RUNS) else None


def _is_alerted(entry: Entry) -> bool:
    chosen = entry.settings
    return chosen.alert is not None or chosen.expect is not None or bool(chosen.ping)
