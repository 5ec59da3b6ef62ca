"""Why a run was skipped or has failed in, whether anybody is told of it out.

Nobody is told of what was the entry's own wish, by its settings, or a person's, by a command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.entry import Catchup
from scheduler.run import Reason

if TYPE_CHECKING:
    from scheduler.entry import Entry

# Of a run that never started.
MISSED = frozenset(
    {
        Reason.MISSED,  # no daemon ran, or the machine slept; unless CRON_CATCHUP=none asks for it
        Reason.TOO_LATE,  # it could not start in its misfire window
        Reason.POOL,  # there was no slot for it
        Reason.CROWD,
        Reason.STOPPED,  # the daemon stopped first
    }
)
WANTED = frozenset(
    {
        Reason.OVERLAP,  # CRON_OVERLAP
        Reason.REPLACED,
        Reason.SUPERSEDED,  # a newer instant was run in its place
        Reason.PAUSED,  # by hand
        Reason.EXCLUDED,  # CRON_EXCEPT, CRON_ONLY
        Reason.KILLED,
        Reason.REMOVED,  # from the crontab
        Reason.SET_BACK,  # its instant comes again
        # These come after an attempt: no run is skipped for them.
        Reason.EXHAUSTED,
        Reason.NOT_RETRIED,
        Reason.WINDOW,
    }
)

# Of a run that is not tried again.
ENDED_ON_PURPOSE = frozenset(
    {
        Reason.KILLED,
        Reason.REPLACED,
        Reason.REMOVED,
        Reason.PAUSED,
        Reason.STOPPED,
        Reason.SET_BACK,
    }
)


def is_missed(entry: Entry, reason: Reason) -> bool:
    """Say whether a run that never started was skipped against its entry's wish."""
    if reason is Reason.MISSED and entry.settings.catchup is Catchup.NONE:
        return False
    return reason in MISSED
