"""A job and its settings in, how long after its instants it starts out: the same every day.

RANDOM_DELAY is crontab(5)'s of cronie, except that a restart does not draw it anew.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.entry import Settings


def of(job: str, settings: Settings, salt: str) -> float:
    """Return whole seconds: the job's place in CRON_SPREAD and the machine's in RANDOM_DELAY.

    The first is drawn from the job's name, so that the jobs of a crontab spread out; the second
    from `salt` alone, so that all jobs of a machine move alike, as under cronie (crontab(5)).
    """
    if not (settings.spread or settings.random_delay):
        return 0.0
    own = settings.spread * _fraction("spread", job)
    return float(int(own + settings.random_delay * _fraction("delay", salt)))


def _fraction(*parts: str) -> float:
    """Return a number in [0, 1) that these texts stand for, the same in every process."""
    key = "\0".join(parts).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(key, digest_size=6).digest(), "big") / 2**48
