"""An entry and how its run ended in, who gets a mail of its output out, as in cron.

crontab(5): what a run writes goes to MAILTO, with `-n` only if the run failed. In cron's own tables
that is all, and without a MAILTO it goes to the user. In Meridian's a failure without output is
told too, and without a MAILTO there is no mail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.crontab import mail_variables

if TYPE_CHECKING:
    from scheduler.entry import Entry


@dataclass(frozen=True, slots=True)
class MailSettings:
    """An entry's MAILTO, MAILFROM and CONTENT_TYPE, as a Notice has them; "" where not set."""

    mail_to: str = ""
    mail_from: str = ""
    content_type: str = ""


_NOTHING_SET = MailSettings()


def settings_of(entry: Entry) -> MailSettings:
    """Return what the entry's crontab says of its mail, for each notice of it."""
    said = {name: value for name, value in entry.environment if name in mail_variables.MAIL_NAMES}
    if not said:
        return _NOTHING_SET
    return MailSettings(
        said.get(mail_variables.MAILTO, ""),
        said.get(mail_variables.MAILFROM, ""),
        said.get(mail_variables.CONTENT_TYPE, ""),
    )


def target_of(entry: Entry) -> str:
    """Return whom `mail` means for this entry, as the target of a notice.

    `mail:` and the good addresses of MAILTO, so that notices to the same people go together and a
    bad address of one job holds up no other's mail; `mail`, which is the user, without any.
    """
    written = mail_variables.addresses(settings_of(entry).mail_to).written
    return f"mail:{','.join(written)}" if written else "mail"


def has_reader(entry: Entry) -> bool:
    """Say whether what the entry's jobs write is mailed to anybody.

    In cron's tables it is the user, where nothing is said; only where the machine has a mailer, but
    that is for others to ask: see `is_for_user`.
    """
    return target_of(entry) != "mail" or is_for_user(entry)


def is_for_user(entry: Entry) -> bool:
    """Say whether what its jobs write is their user's mail, as in cron, since no MAILTO is set."""
    return entry.is_crons and all(name != mail_variables.MAILTO for name, _ in entry.environment)


def output_target(entry: Entry, *, has_failed: bool, has_output: bool) -> str | None:
    """Return who gets the output of a run that is over, after its last attempt; None for nobody.

    `has_output`: any of its attempts wrote something. An entry with a CRON_ALERT (also `none`) has
    its failures told by that alone, so that nobody hears of one twice. A MAILTO without a good
    address is nobody; `check` has warned.
    """
    if not has_reader(entry):
        return None
    target = target_of(entry)
    if entry.is_crons and not has_output:
        is_told = False  # many a line of a package is `test -x … && …`, and fails without a word
    elif has_failed:
        is_told = entry.settings.alert is None
    else:
        is_told = has_output and not entry.flags.mail_on_failure
    return target if is_told else None
