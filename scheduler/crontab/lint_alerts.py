"""An entry in, what to tell its writer about who hears of it out; nothing is refused here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.crontab import mail_variables
from scheduler.crontab.lint import LintWarning

if TYPE_CHECKING:
    from scheduler.entry import Entry


_WHO_HEARS = "write CRON_ALERT=desktop above it; for CRON_EXPECT a MAILTO does, too"


def unheard(entry: Entry, at: int, told: set[str]) -> list[LintWarning]:
    """Return what is said of settings by which nobody is told, `at` the entry's place in its line.

    Of each setting once: those that were `told` of are left out, and new ones are added.
    """
    chosen = entry.settings
    if chosen.expect is None and not (chosen.alert_subject or chosen.alert_text):
        return []  # as for most of many entries
    set_here = {
        "CRON_EXPECT": chosen.expect is not None,
        "CRON_ALERT_SUBJECT": bool(chosen.alert_subject),
        "CRON_ALERT_TEXT": bool(chosen.alert_text),
    }
    names = [name for name, is_set in set_here.items() if is_set and name not in told]
    if not names or _is_heard(entry):
        return []
    told.update(names)
    return [
        LintWarning("nobody-hears", f"{name} is set, and nobody is told", at, _WHO_HEARS)
        for name in names
    ]


def _is_heard(entry: Entry) -> bool:
    if entry.settings.alert is not None:
        return bool(entry.settings.alert.targets)
    mail_to = dict(entry.environment).get(mail_variables.MAILTO, "")
    return entry.settings.expect is not None and bool(mail_variables.addresses(mail_to).good)
