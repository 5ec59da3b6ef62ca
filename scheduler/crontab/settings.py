"""The table of `CRON_…` settings: a name and a text come in, what acts on an entry goes out.

RANDOM_DELAY and START_HOURS_RANGE are variables of cronie and anacron that act here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scheduler import suggestions
from scheduler.crontab import alert_values, day_values, job_names, setting_values
from scheduler.day_rules import DayMove
from scheduler.entry import Catchup, Overlap, RetryPolicy, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CRON_NAME = "CRON_NAME"
CRON_TZ = "CRON_TZ"
CRON_OVERLAP = "CRON_OVERLAP"
CRON_RETRIES = "CRON_RETRIES"
CRON_NICE = "CRON_NICE"
CRON_RETRY_DELAY = "CRON_RETRY_DELAY"
PREFIX = "CRON_"

# The daemon sets these for each run; an assignment would only pretend to.
GIVEN = frozenset({"CRON_JOB", "CRON_RUN", "CRON_ATTEMPT", "CRON_SCHEDULED"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: how its value is read, and the field of Settings that it fills.

    `field` is "" where the value goes elsewhere (zone, name).
    """

    read: Callable[[str], Any]
    field: str = ""


TABLE: dict[str, Setting] = {
    CRON_TZ: Setting(setting_values.zone),
    CRON_NAME: Setting(job_names.check),
    CRON_RETRIES: Setting(setting_values.whole(0, 1_000_000), "retry.retries"),
    CRON_RETRY_DELAY: Setting(setting_values.seconds, "retry.delay"),
    "CRON_RETRY_FACTOR": Setting(setting_values.number(1, 1000), "retry.factor"),
    "CRON_RETRY_MAX_DELAY": Setting(setting_values.seconds, "retry.max_delay"),
    "CRON_RETRY_JITTER": Setting(setting_values.number(0, 1), "retry.jitter"),
    "CRON_RETRY_WITHIN": Setting(setting_values.seconds, "retry.within"),
    "CRON_RETRY_ON": Setting(setting_values.endings, "retry.on"),
    "CRON_NO_RETRY_ON": Setting(setting_values.endings, "retry.never_on"),
    "CRON_SUCCESS": Setting(setting_values.codes, "success"),
    "CRON_TIMEOUT": Setting(setting_values.positive_seconds, "timeout"),
    "CRON_KILL_AFTER": Setting(setting_values.seconds, "kill_after"),
    CRON_OVERLAP: Setting(setting_values.choice(Overlap), "overlap"),
    "CRON_CATCHUP": Setting(setting_values.choice(Catchup), "catchup"),
    "CRON_CATCHUP_LIMIT": Setting(setting_values.whole(1, 100_000_000), "catchup_limit"),
    "CRON_WITHIN": Setting(setting_values.seconds, "within"),
    "CRON_SPREAD": Setting(setting_values.seconds, "spread"),
    "CRON_POOL": Setting(setting_values.pool, "pool"),
    "CRON_MEMORY": Setting(setting_values.size, "memory"),
    "CRON_CPU": Setting(setting_values.positive_seconds, "cpu"),
    CRON_NICE: Setting(setting_values.whole(-20, 19), "nice"),
    "CRON_ALERT": Setting(alert_values.rule, "alert"),
    "CRON_ALERT_SUBJECT": Setting(alert_values.template, "alert_subject"),
    "CRON_ALERT_TEXT": Setting(alert_values.template, "alert_text"),
    "CRON_EXPECT": Setting(setting_values.positive_seconds, "expect"),
    "CRON_PING": Setting(setting_values.address, "ping"),
    day_values.FROM: Setting(day_values.day),
    day_values.UNTIL: Setting(day_values.day),
    day_values.EXCEPT: Setting(day_values.excepted),
    day_values.ONLY: Setting(day_values.only),
    day_values.MOVE: Setting(setting_values.choice(DayMove)),
}

# Variables of cronie and anacron that act here too; a job sees them as it sees any variable, and
# a bad value is only warned about, since a crontab that cronie accepts is accepted.
VARIABLES: dict[str, Setting] = {
    "RANDOM_DELAY": Setting(setting_values.delay_minutes, "random_delay"),
    "START_HOURS_RANGE": Setting(setting_values.hours, "start_hours"),
}

# What else people call a setting, of schedulers and libraries they know; letters alone don't tell.
_OTHER_NAMES = {
    "CRON_RETRY": CRON_RETRIES,
    "CRON_RETRY_COUNT": CRON_RETRIES,
    "CRON_TIMEZONE": CRON_TZ,
    "CRON_ZONE": CRON_TZ,
    "CRON_JITTER": "CRON_RETRY_JITTER",
    "CRON_MEM": "CRON_MEMORY",
    "CRON_CONCURRENCY": CRON_OVERLAP,
    "CRON_MISFIRE": "CRON_WITHIN",
    "CRON_DELAY": CRON_RETRY_DELAY,
    "CRON_START": day_values.FROM,
    "CRON_END": day_values.UNTIL,
    "CRON_HOLIDAYS": day_values.EXCEPT,
    "CRON_CALENDAR": day_values.EXCEPT,
    "CRON_EXCLUDE": day_values.EXCEPT,
    "CRON_MOVE": day_values.MOVE,
}

_FIELD_OF = {name: setting.field for name, setting in (TABLE | VARIABLES).items() if setting.field}


def read(name: str, text: str) -> Any:
    """Return the value of a setting of the table; `text` is not empty (that resets it).

    Raises BadValue, offset in `text`.
    """
    return TABLE[name].read(text)


def build(chosen: Mapping[str, Any]) -> Settings:
    """Return the Settings of these values, the defaults for all others; equal ones are shared."""
    given = {_FIELD_OF[name]: value for name, value in chosen.items() if name in _FIELD_OF}
    retry = {field[6:]: value for field, value in given.items() if field.startswith("retry.")}
    rest = {field: value for field, value in given.items() if "." not in field}
    return _shared(Settings(retry=_shared_policy(RetryPolicy(**retry)), **rest))


@lru_cache(maxsize=256)
def nearest(name: str) -> str:
    """Return the setting that `name` means or looks most like, "" if there is none."""
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    # Without what they all have in common, which would make any two of them look alike.
    known = [setting.removeprefix(PREFIX) for setting in TABLE]
    near = suggestions.nearest(name.removeprefix(PREFIX), known, alike=0.7)
    return PREFIX + near[0] if near else ""


@lru_cache(maxsize=4096)
def _shared(settings: Settings) -> Settings:
    return settings


@lru_cache(maxsize=4096)
def _shared_policy(policy: RetryPolicy) -> RetryPolicy:
    return policy
