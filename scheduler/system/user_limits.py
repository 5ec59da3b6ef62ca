"""limits.conf(5) and an account in, the limits that pam_limits(8) puts on its jobs under cron out.

Of lines for one item the most particular counts (a user, then a group, then everybody), of equals
the last. Those for groups and for everybody spare root. What is wrong limits nothing, as there.
"""

from __future__ import annotations

import grp
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scheduler.system.accounts import Account

ROOT = Path("/")
SECURITY = Path("etc/security")
INFINITY = -1  # RLIM_INFINITY of getrlimit(2), as Python has it

_ITEMS = {  # by what a value is multiplied
    "core": ("RLIMIT_CORE", 1024),
    "data": ("RLIMIT_DATA", 1024),
    "fsize": ("RLIMIT_FSIZE", 1024),
    "memlock": ("RLIMIT_MEMLOCK", 1024),
    "nofile": ("RLIMIT_NOFILE", 1),
    "rss": ("RLIMIT_RSS", 1024),
    "stack": ("RLIMIT_STACK", 1024),
    "cpu": ("RLIMIT_CPU", 60),
    "nproc": ("RLIMIT_NPROC", 1),
    "as": ("RLIMIT_AS", 1024),
    "sigpending": ("RLIMIT_SIGPENDING", 1),
    "msgqueue": ("RLIMIT_MSGQUEUE", 1),
    "nice": ("RLIMIT_NICE", 1),
    "rtprio": ("RLIMIT_RTPRIO", 1),
}
_ENDLESS = ("-1", "unlimited", "infinity")
_LOWEST_NICE, _HIGHEST_NICE = -20, 19
_ONE_USER, _ONE_GROUP, _EVERYBODY = 0, 1, 2  # the lower wins
_NO_LIMITS = 2  # fields of a line that frees somebody from all limits: "ann -"
_FULL_LINE = 4


@dataclass(frozen=True, slots=True)
class UserLimits:
    """Limits by their names in getrlimit(2), soft and hard; None is what the daemon has.

    `chroot` is a folder out of which the user's jobs may not see, "" for none.
    """

    limits: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    nice: int | None = None
    no_new_privileges: bool = False
    chroot: str = ""


@dataclass(frozen=True, slots=True)
class _LimitLine:
    """One line that is for this account: how particular it is, and which sides it sets."""

    rank: int
    soft: bool
    hard: bool
    item: str
    value: str


class _Unlimited(Exception):
    """The account is freed from all limits."""


def of_account(account: Account, folder: Path = ROOT / SECURITY) -> UserLimits:
    """Return the limits in force now for this account; none where there are no such files."""
    files = (folder / "limits.conf", *sorted((folder / "limits.d").glob("*.conf")))
    texts: list[str] = []
    for file in files:
        with suppress(OSError):
            texts.append(file.read_text(encoding="utf-8", errors="replace"))
    return read(texts, account, _number_of_group)


def read(
    texts: Iterable[str], account: Account, number_of: Callable[[str], int | None]
) -> UserLimits:
    """Return what these files say of an account; `number_of` knows groups by name."""
    chosen: dict[tuple[str, str], _LimitLine] = {}
    try:
        for line in _lines(texts, account, number_of):
            for side in [each for each in ("soft", "hard") if getattr(line, each)]:
                before = chosen.get((line.item, side))
                if before is None or line.rank <= before.rank:
                    chosen[line.item, side] = line
    except _Unlimited:
        return UserLimits()
    return _limits(chosen)


def _lines(
    texts: Iterable[str], account: Account, number_of: Callable[[str], int | None]
) -> Iterator[_LimitLine]:
    for text in texts:
        for each in text.splitlines():
            fields = each.partition("#")[0].split()
            rank = _rank(fields[0], account, number_of) if fields else None
            if rank is None:
                continue
            if len(fields) == _NO_LIMITS and fields[1] == "-":
                raise _Unlimited
            if len(fields) == _FULL_LINE and fields[1] in ("soft", "hard", "-"):
                sides = fields[1] != "hard", fields[1] != "soft"
                yield _LimitLine(rank, *sides, fields[2].lower(), fields[3])


def _rank(domain: str, account: Account, number_of: Callable[[str], int | None]) -> int | None:
    """Return how particular a domain is that this account is in; None if it is not."""
    if domain == account.name:
        return _ONE_USER
    if account.uid == 0 or domain.startswith("%"):  # the latter counts logins
        return None
    if domain == "*":
        return _EVERYBODY
    name = domain.removeprefix("@")
    if ":" in name:
        rank, numbers = (
            (_ONE_GROUP, account.groups) if domain != name else (_ONE_USER, (account.uid,))
        )
        return rank if any(_is_within(name, each) for each in numbers) else None
    return _ONE_GROUP if domain != name and number_of(name) in account.groups else None


def _is_within(span: str, number: int) -> bool:
    """Say whether a number is in `500:1000`, `500:` (or more) or `:500` (that one alone)."""
    first, _, last = span.partition(":")
    try:
        if not first:
            return number == int(last)
        return int(first) <= number and (not last or number <= int(last))
    except ValueError:
        return False


def _limits(chosen: dict[tuple[str, str], _LimitLine]) -> UserLimits:
    found: dict[str, tuple[int | None, int | None]] = {}
    for item, (name, unit) in _ITEMS.items():
        soft, hard = (
            _value(item, chosen[item, side].value, unit) if (item, side) in chosen else None
            for side in ("soft", "hard")
        )
        if (soft, hard) != (None, None):
            found[name] = soft, hard
    return UserLimits(
        found,
        nice=_niceness(chosen),
        no_new_privileges=_of_hard(chosen, "nonewprivs") == "1",
        chroot=_of_hard(chosen, "chroot"),
    )


def _of_hard(chosen: dict[tuple[str, str], _LimitLine], item: str) -> str:
    line = chosen.get((item, "hard"))
    return "" if line is None else line.value


def _niceness(chosen: dict[tuple[str, str], _LimitLine]) -> int | None:
    with suppress(ValueError):
        nice = int(_of_hard(chosen, "priority"))
        return min(max(nice, _LOWEST_NICE), _HIGHEST_NICE)
    return None


def _value(item: str, text: str, unit: int) -> int | None:
    if item == "nice":  # RLIMIT_NICE is 20 minus the lowest niceness, getrlimit(2)
        with suppress(ValueError):
            return 20 - min(max(int(text), _LOWEST_NICE), _HIGHEST_NICE)
        return None
    if text in _ENDLESS:
        return INFINITY
    return int(text) * unit if text.isascii() and text.isdecimal() else None


def _number_of_group(name: str) -> int | None:
    with suppress(KeyError, ValueError):
        return grp.getgrnam(name).gr_gid
    return None
