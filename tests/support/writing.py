"""Entries in, the text of a crontab that reads as the same entries out."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from scheduler.crontab import job_names, setting_values, settings
from scheduler.entry import Settings
from scheduler.schedule import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scheduler.entry import AlertRule, Entry, Flags, Pool

_BARE_NAME = re.compile(r"""[^\s=#"'][^\s=]*""")
_BARE_VALUE = re.compile(r"""[^\s"'][^ \t]*(?<!\s)""")


def listed(found: Iterable[int | str]) -> str:
    """Return the text that a list of exit codes and endings is read from."""
    return ",".join(str(one) for one in sorted(found, key=lambda one: (isinstance(one, str), one)))


def _pooled(found: Pool) -> str:
    return found.name if found.limit is None else f"{found.name}:{found.limit}"


def _alerting(found: AlertRule) -> str:
    options = (("missed", found.missed), ("slow", found.slow), (f"after,{found.after}", True))
    words = (*(text for text, chosen in options if chosen), *found.targets)
    return ",".join(words) if found.targets else "none"


def _plain(number: float) -> str:
    return f"{number:.12f}".rstrip("0").rstrip(".")


# How a value is written that `str` does not write.
WRITERS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("CRON_RETRY_DELAY", "CRON_RETRY_MAX_DELAY"), duration.to_text),
    **dict.fromkeys(("CRON_RETRY_WITHIN", "CRON_TIMEOUT", "CRON_KILL_AFTER"), duration.to_text),
    **dict.fromkeys(("CRON_WITHIN", "CRON_SPREAD", "CRON_CPU", "CRON_EXPECT"), duration.to_text),
    **dict.fromkeys(("CRON_RETRY_FACTOR", "CRON_RETRY_JITTER"), _plain),
    **dict.fromkeys(("CRON_RETRY_ON", "CRON_NO_RETRY_ON", "CRON_SUCCESS"), listed),
    "CRON_ALERT": _alerting,
    "CRON_POOL": _pooled,
    "CRON_MEMORY": setting_values.sized,
}


def assignments(chosen: Settings) -> Iterator[tuple[str, str]]:
    """Yield name and text of each setting that differs from its default."""
    for name, setting in settings.TABLE.items():
        if setting.field:
            value, plain = (attrgetter(setting.field)(each) for each in (chosen, Settings()))
            if value != plain:
                yield name, WRITERS.get(name, str)(value)


def write(entries: Iterable[Entry]) -> str:
    """Return a crontab of these entries, every zone, name and setting in front of its schedule.

    Read it with the same `system`, `salt` and (for zones without a key) zone. The entries must be
    as they come from a crontab: variables are never unset from one entry to the next, and no value
    holds a newline, or both quotes where it needs one.
    """
    text: list[str] = []
    environment: dict[str, str] = {}
    for entry in entries:
        front: list[str] = []
        for name, value in entry.environment:
            if _fits_in_front(name, value):
                front.append(f"{name}={_quoted(value)}")
            elif environment.get(name) != value:
                environment[name] = value
                if text and text[-1].endswith("\\"):
                    text.append("#")  # or it would seem to go on in a name that has a blank
                text.append(f"{_name(name)}={_quoted(value)}")
        text.append(" ".join((*front, *_settings(entry), *_job(entry))))
    return "".join(f"{line}\n" for line in text)


def _fits_in_front(name: str, value: str) -> bool:
    """Whether it may have stood in front of one schedule, so that entries below lack it."""
    if not re.fullmatch(r"CRON_[A-Za-z0-9_]*", name):
        return False
    return '"' not in value or "'" not in value or _BARE_VALUE.fullmatch(value) is not None


def _name(name: str) -> str:
    if _BARE_NAME.fullmatch(name):
        return name
    return f"'{name}'" if '"' in name else f'"{name}"'


def _quoted(value: str) -> str:
    if _BARE_VALUE.fullmatch(value) and not value.endswith("\\"):  # which joins two lines
        return value
    if '"' not in value:
        return f'"{value}"'
    return value if "'" in value else f"'{value}'"


def _settings(entry: Entry) -> Iterator[str]:
    zone = entry.zone.key or ""
    if zone:
        yield f"{settings.CRON_TZ}={zone}"
    name = job_names.derived(
        entry.schedule_text, entry.command, stdin=entry.stdin, zone=zone, user=entry.user
    )
    if entry.job != name:
        yield f"{settings.CRON_NAME}={entry.job}"
    for setting, value in assignments(entry.settings):
        yield f"{setting}={value}"


def _job(entry: Entry) -> Iterator[str]:
    yield ("-" if entry.flags.no_log else "") + entry.schedule_text
    if entry.user is not None:
        yield entry.user
    if flags := _flags(entry.flags):
        yield f"-{flags}"
    yield entry.command.replace("%", "\\%") + _stdin(entry.stdin)


def _flags(flags: Flags) -> str:
    letters = (("n", flags.mail_on_failure), ("q", flags.quiet), ("s", flags.single))
    return "".join(letter for letter, given in letters if given)


def _stdin(stdin: str | None) -> str:
    if stdin is None:
        return ""
    # The last newline comes by itself; behind a backslash its % would be read as an escaped one.
    text = stdin.removesuffix("\n") if stdin.endswith("\\\n") else stdin
    return "%" + text.replace("%", "\\%").replace("\n", "%")
