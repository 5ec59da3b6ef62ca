"""An entry and how its run ended in, who gets a mail of its output out, as in cron.

crontab(5): what a run writes goes to MAILTO, with `-n` only if the run failed. Unlike cron's, a
failure without output is told too, and without a MAILTO there is no mail.
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


def is_wanted(entry: Entry, *, has_failed: bool, has_output: bool) -> bool:
    """Say whether a run that is over, after its last attempt, is mailed to MAILTO.

    `has_output`: any of its attempts wrote something. An entry with a CRON_ALERT (also `none`) has
    its failures told by that alone, so that nobody hears of one twice. An address that is no good
    is none; `check` has warned.
    """
    mail_to = settings_of(entry).mail_to
    if not mail_to or not mail_variables.addresses(mail_to).good:
        return False
    if has_failed:
        return entry.settings.alert is None
    return has_output and not entry.flags.mail_on_failure
