"""By which way mail goes, and a mail really sent."""

from __future__ import annotations

import os
from collections.abc import Iterator

from scheduler.alerts import mail, mailto
from scheduler.alerts.channel import NotSent, Place
from scheduler.cli import alert_targets
from scheduler.cli.doctor.diagnosis import Diagnosis, fine, problem, warning
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.entry import Entry
from scheduler.notice import Channel, channel_of
from scheduler.text import counted

SENDING_LIMIT = 75.0  # seconds: a mail itself takes a minute at most
_SEE_DOCS = "docs/alerts.md says how mail is sent"


def found(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield by which way mail goes; that there is none is a problem where a job needs it."""
    needing = [entry.job for entry in facts.loaded.entries if needs_mail(entry)]
    try:
        way = mail.way(_place(facts))
    except NotSent as error:
        message, _, remedy = str(error).partition("; ")
        if not needing and error.permanent:
            yield fine("no job needs it, and there is no way to send it")
            return
        if not needing:  # what is wrong is in mail.toml
            yield warning(message, remedy or _SEE_DOCS)
            return
        who = f"{counted(len(needing), 'job')} ({needing[0]}, …)" if needing[1:] else needing[0]
        verb = "need" if needing[1:] else "needs"
        yield problem(f"{who} {verb} mail: {message}", remedy or _SEE_DOCS)
    else:
        yield fine(f"{way}; --mail ADDRESS sends one")


def needs_mail(entry: Entry) -> bool:
    """Say whether an entry has its output mailed, or alerts by mail, by the user who asks."""
    if not alert_targets.is_own(entry):
        return False  # who mails it is its user
    rule = entry.settings.alert
    targets = () if rule is None else rule.targets
    is_mailed = mailto.target_of(entry) != "mail"  # MAILTO has somebody
    return is_mailed or any(channel_of(target) is Channel.MAIL for target in targets)


def sent(facts: MachineFacts, address: str) -> Iterator[Diagnosis]:
    """Send a mail, and yield whether somebody took it."""
    result = mail.send_test(address, _place(facts))
    if result.error:
        message, _, remedy = result.error.partition("; ")
        yield problem(f"not sent to {address}: {message}", remedy or _SEE_DOCS)
    else:
        yield fine(f"taken for {address}: look whether it arrives, also among what is junk")


def _place(facts: MachineFacts) -> Place:
    return Place(facts.paths.state, facts.paths.config, os.environ)
