"""What a crontab says: entries, their schedules and settings, and the problems in its text.

All frozen, with no behaviour but their own arithmetic. Instants are aware datetimes in UTC;
durations are seconds unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from scheduler.day_rules import DayRules


@dataclass(frozen=True, slots=True)
class Expression:
    """The five fields of a schedule as sets, its dialect already settled.

    `weekdays` are 0-6 from Sunday; `nth_weekdays` holds (weekday, n) for `fri#2` and (weekday, -1)
    for `friL`. `days_rule` is crontab(5)'s: "or" unless the text of either day field starts with
    `*`. `elapsed` is what an overlap asks of the text: the minute or hour field starts with `*`.
    `day_rules` say which of the days that the fields name count; None: all of them.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    days_rule: Literal["and", "or"]
    last_day: bool = False
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()
    elapsed: bool = False
    day_rules: DayRules | None = None

    @property
    def every_hour(self) -> bool:
        """Whether it names all hours, however they are written: `*`, `*/1`, `0-23`."""
        return len(self.hours) == 24


@dataclass(frozen=True, slots=True)
class Every:
    """`@every`: a true interval in whole minutes, counted from the last scheduled instant."""

    minutes: int
    day_rules: DayRules | None = None


@dataclass(frozen=True, slots=True)
class Reboot:
    """`@reboot`: once per boot of the machine."""

    day_rules: DayRules | None = None


Schedule = Expression | Every | Reboot


class Overlap(StrEnum):
    """What a new run does while an earlier one of the same job still runs."""

    SKIP = "skip"
    ALLOW = "allow"
    QUEUE = "queue"
    REPLACE = "replace"


class Catchup(StrEnum):
    """What an instant that was missed for more than a few minutes gets."""

    AUTO = "auto"  # latest, but nothing for an entry whose next instant is near
    NONE = "none"
    LATEST = "latest"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Pool:
    """A CRON_POOL: at most `limit` runs of all entries that name it; None leaves that to others."""

    name: str
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed attempt is followed by another.

    Wait n is min(max_delay, delay x factor^(n-1)), then plus or minus the fraction `jitter`.
    The last retry starts at most `within` after the first start; None is the job's next
    instant. `on` is what is retried (exit codes, "signal", "timeout", "start"; None: every
    failure), `never_on` what is not.
    """

    retries: int = 3
    delay: float = 30.0
    factor: float = 2.0
    max_delay: float = 600.0
    jitter: float = 0.1
    within: float | None = None
    on: frozenset[int | str] | None = None
    never_on: frozenset[int | str] = frozenset()


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A CRON_ALERT: who hears of it when a run has failed for good, and when it succeeds again.

    `targets` are as the crontab has them (`desktop`, `mail`, `mail:ADDRESS`, `@name`, an address
    with a scheme, `|COMMAND`); none is nobody. Told from the failure `after` in a row on; `missed`
    and `slow` ask for more.
    """

    targets: tuple[str, ...] = ()
    after: int = 1
    missed: bool = False
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of an entry that act; equal ones are one shared object.

    `catchup_limit` is how many missed instants ALL makes up for, the newest. `within` is how late a
    run may still start; `spread` and `random_delay` are the longest delays
    from which an entry's own is drawn. `start_hours` are the hours, first and end, in which a
    missed run may be made up for: (3, 22) is from 03:00 until 22:00; None is any. `memory` (bytes),
    `cpu` (seconds) and `nice` are limits of one attempt; None is none. `alert_subject` and
    `alert_text` are templates of what `alert` sends, "" for Meridian's own words; `ping` is a URL,
    and `expect` how long the job may be without a success, in seconds.
    """

    retry: RetryPolicy = RetryPolicy()
    success: frozenset[int] = frozenset({0})
    timeout: float | None = None
    kill_after: float = 10.0
    overlap: Overlap = Overlap.SKIP
    catchup: Catchup = Catchup.AUTO
    catchup_limit: int = 10_000
    within: float = 10800.0
    spread: float = 0.0
    random_delay: float = 0.0
    start_hours: tuple[int, int] | None = None
    pool: Pool | None = None
    memory: int | None = None
    cpu: float | None = None
    nice: int | None = None
    alert: AlertRule | None = None
    alert_subject: str = ""
    alert_text: str = ""
    ping: str = ""
    expect: float | None = None


@dataclass(frozen=True, slots=True)
class Flags:
    """Signs in front of a schedule or command: cronie's `-`, OpenBSD's `-n -q -s`."""

    no_log: bool = False
    mail_on_failure: bool = False
    quiet: bool = False
    single: bool = False

    @property
    def is_quiet(self) -> bool:
        """Whether the log says nothing of what goes well: crontab(5) of OpenBSD and of cronie."""
        return self.no_log or self.quiet


Environment = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One job line: when, where in the world, what, and under which settings.

    `command` is what the shell gets (text before the first unescaped `%`), `stdin` what it reads
    (None without a `%`), `environment` the crontab's own assignments in force, `user` the system
    form's column. It starts `delay` seconds after each of its instants. `stamp` is the name of what
    anacron writes the date of its last run into, "" for any other job's. `is_crons`: it is in a
    table of cron's or anacron's, and goes by their ways where it does not say otherwise. Where it
    was written does not make two entries differ.
    """

    job: str
    schedule: Schedule
    schedule_text: str
    zone: ZoneInfo
    command: str
    stdin: str | None = None
    environment: Environment = ()
    settings: Settings = Settings()
    flags: Flags = Flags()
    user: str | None = None
    delay: float = 0.0
    stamp: str = ""
    is_crons: bool = False
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)


def pool_of(entry: Entry) -> str | None:
    """Return the name of the entry's pool; None if it is in none."""
    return None if entry.settings.pool is None else entry.settings.pool.name


class Severity(StrEnum):
    """Whether a problem refuses something (error) or only deserves a look (warning)."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one place; `line` and `column` count from 1, 0 where there is no line."""

    file: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str
    hint: str = ""
    text: str = ""  # the whole offending line, for the caret
    refuses: tuple[int, ...] = ()  # lines of the entries that are refused for this setting


@dataclass(frozen=True, slots=True)
class Crontab:
    """One file, read: its text, what runs, what is wrong, and which job lines were refused.

    `user` is whose table it is, where it is one of the spool's: they may know all that is in it.
    """

    file: str
    text: bytes
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    refused: frozenset[int] = frozenset()  # line numbers of job lines that are not in force
    user: str | None = None
