"""By which way mail goes, and a mail really sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from scheduler.alerts import mail, mail_account, mailto, sendmail
from scheduler.alerts.channel import NotSent, Place
from scheduler.cli import alert_targets
from scheduler.cli.doctor.diagnosis import Diagnosis, fine, problem, warning
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.entry import Entry
from scheduler.notice import Channel, channel_of
from scheduler.system import accounts
from scheduler.text import counted

SENDING_LIMIT = 75.0  # seconds: a mail itself takes a minute at most
_SEE_DOCS = "docs/alerts.md says how mail is sent"


_MAILER = "install one (msmtp-mta, postfix, exim4)"


def found(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield by which way mail goes, of who asks and of users whose jobs are among these."""
    yield from _own(facts)
    if not sendmail.is_there():
        yield from of_users(facts.loaded.entries)


def _own(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield by which way mail goes; that there is none is a problem where a job needs it."""
    needing = [entry.job for entry in facts.loaded.entries if needs_mail(entry)]
    try:
        way = mail.way(_place(facts))
    except NotSent as error:
        message, _, remedy = str(error).partition("; ")
        if not needing and error.permanent:
            yield fine("no job of yours needs it, and there is no way to send it")
            return
        if not needing:  # what is wrong is in mail.toml
            yield warning(message, remedy or _SEE_DOCS)
            return
        yield problem(f"{_needs_mail(needing)}: {message}", remedy or _SEE_DOCS)
    else:
        yield fine(f"{way}; --mail ADDRESS sends one")


def of_users(entries: Iterable[Entry]) -> Iterator[Diagnosis]:
    """Yield what of the users' mail has no way on a machine that has no sendmail.

    Root's mail.toml is no user's, and without a MAILTO there is no mail at all, as in cron.
    """
    silent: list[str] = []
    needing: dict[str, list[str]] = {}
    for entry in entries:
        if mailto.is_for_user(entry):
            silent.append(entry.job)
        elif _is_mailed(entry) and not alert_targets.is_own(entry):
            needing.setdefault(str(entry.user), []).append(entry.job)
    for user, jobs in needing.items():
        if not _has_account(user):
            what = f"{_needs_mail(jobs)} of {user}: there is no sendmail program"
            way = f"{_MAILER}, or let {user} write a ~/.config/meridian/mail.toml"
            yield problem(what, way)
    if silent:
        what = f"what {_of(silent)} writes is mailed to no user: there is no sendmail program"
        yield warning(what, f"{_MAILER}; meridian logs JOB shows it")


def _has_account(user: str) -> bool:
    """Say whether a user has an account to mail by, as far as who asks can see."""
    account = accounts.find(user)
    if account is None:
        return True  # there is nobody whose job could run, which is told elsewhere
    return os.path.lexists(Path(account.home, ".config", "meridian", mail_account.ACCOUNT_FILE))


def _needs_mail(jobs: Sequence[str]) -> str:
    return f"{_of(jobs)} {'need' if jobs[1:] else 'needs'} mail"


def _of(jobs: Sequence[str]) -> str:
    return f"{counted(len(jobs), 'job')} ({jobs[0]}, …)" if jobs[1:] else jobs[0]


def needs_mail(entry: Entry) -> bool:
    """Say whether an entry has its output mailed, or alerts by mail, by the user who asks."""
    if not alert_targets.is_own(entry):
        return False  # who mails it is its user
    return _is_mailed(entry)


def _is_mailed(entry: Entry) -> bool:
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
