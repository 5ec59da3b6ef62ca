"""What happens to a job in; what is known of it, and notices of it, in the journal out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from scheduler import codec
from scheduler.alerts import mailto, policy
from scheduler.alerts.policy import JobAlerts
from scheduler.entry import AlertRule
from scheduler.errors import NoAnswer
from scheduler.notice import Kind, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from scheduler.alerts.own_user import OwnUser
    from scheduler.alerts.policy import Happening
    from scheduler.entry import Entry
    from scheduler.journal.outbox import Outbox
    from scheduler.notice import Facts

_NOBODY = AlertRule()


class Notifier:
    """Lets the policy judge, and writes what comes of it.

    Owns: its way to the outbox, and no memory: a commit that is refused undoes all. The recorder
    and ExpectedSuccesses call it inside a commit. Invariant: what is known of a job is written with
    the notices that it tells of.
    """

    def __init__(self, outbox: Outbox, own: OwnUser) -> None:
        self._outbox = outbox
        self._own = own

    def known(self, job: str) -> JobAlerts:
        """Return what is known of a job; nothing, if another version has written it."""
        text = self._outbox.state_of(job)
        if text is None:
            return JobAlerts()
        try:
            return codec.decode(JobAlerts, json.loads(text))
        except (NoAnswer, ValueError):
            return JobAlerts()

    def keep(self, job: str, state: JobAlerts) -> None:
        """Remember what is known of a job."""
        text = None if state == JobAlerts() else json.dumps(codec.encode(state))
        self._outbox.set_state(job, text)

    def forget_unheard(self, entries: Mapping[str, Entry]) -> None:
        """Forget what was told of jobs of which nobody is to hear: what happens is not followed.

        Else it would be told of later as if nothing had happened meanwhile.
        """
        for job in self._outbox.jobs():
            entry = entries.get(job)
            if entry is None or rule_of(entry).targets:
                continue
            known = self.known(job)
            kept = JobAlerts() if entry.settings.expect is None else JobAlerts(seen=known.seen)
            if known != kept:
                self.keep(job, kept)

    def happened(self, entry: Entry, happening: Happening, facts: Callable[[], Facts]) -> JobAlerts:
        """Judge what has happened, and tell who is to be told; return what is known then."""
        rule = rule_of(entry)
        before = self.known(entry.job)
        judged = policy.decide(before, happening, rule)
        if judged.state != before:
            self.keep(entry.job, judged.state)
        if judged.kind is not None:
            told = replace(facts(), count=judged.count, of=judged.of, since=judged.since)
            for target in rule.targets:
                self.tell(entry, target, judged.kind, happening.at, told)
        return judged.state

    def tell(self, entry: Entry, target: str, kind: Kind, at: datetime, facts: Facts) -> None:
        """Have one target told; a run's output goes without the templates of alerts."""
        mail, chosen = mailto.settings_of(entry), entry.settings
        is_output = kind is Kind.OUTPUT
        self._outbox.add(
            Notice(
                target=mailto.target_of(entry) if target == "mail" else target,
                kind=kind,
                at=at,
                facts=facts,
                subject="" if is_output else chosen.alert_subject,
                text="" if is_output else chosen.alert_text,
                mail_to=mail.mail_to,
                mail_from=mail.mail_from,
                content_type=mail.content_type,
                user=self._own.speaker_of(entry),
            )
        )


def rule_of(entry: Entry) -> AlertRule:
    """Return who is told of an entry; with a CRON_EXPECT alone those of its MAILTO."""
    chosen = entry.settings
    if chosen.alert is not None:
        return chosen.alert
    if chosen.expect is not None and mailto.target_of(entry) != "mail":
        return AlertRule(("mail",))
    return _NOBODY
