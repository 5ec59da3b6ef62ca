"""Targets of CRON_ALERT in, those that nobody is reached by out: `check`, `edit` and `doctor`.

Nothing is sent. Apprise takes a moment to load, so it is asked only where a target needs it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from scheduler.alerts.addresses import addresses_of
from scheduler.alerts.channel import NotSent
from scheduler.crontab import lexer
from scheduler.crontab.lint import LintWarning, problem
from scheduler.entry import Crontab, Entry, Problem
from scheduler.notice import Channel, channel_of
from scheduler.system import accounts

ALERTS_EXTRA = "make install EXTRAS=alerts, or pip install 'meridian-cron[alerts]'"
_SERVICES = "https://appriseit.com/services/ has the forms of addresses"
_SETTING = re.compile(r"(?!\s*#).*?\bCRON_ALERT\s*=")


class Doubt(NamedTuple):
    """Why a target reaches nobody: a stable word, a sentence, and what to do."""

    code: str
    message: str
    remedy: str


def has_apprise() -> bool:
    """Say whether the extra `alerts` is installed; it is not loaded for that."""
    return find_spec("apprise") is not None


def pushed(entry: Entry) -> Iterator[str]:
    """Yield the targets of an entry that are a file of addresses, or an address for Apprise.

    A file of addresses of another user's jobs is that user's, and nothing for us to look at.
    """
    rule = entry.settings.alert
    for target in () if rule is None else rule.targets:
        is_theirs = target.startswith("@") and not is_own(entry)
        if channel_of(target) is Channel.PUSH and not is_theirs:
            yield target


def is_own(entry: Entry) -> bool:
    """Say whether an entry's jobs are those of the user who asks, who then tells of them."""
    return entry.user is None or accounts.uid_of(entry.user) == os.geteuid()


def needs_apprise(target: str, config: Path) -> bool:
    """Say whether some address of a target is one for Apprise; one that can't be read is none."""
    try:
        addresses = addresses_of(target, config)
    except NotSent:
        return False
    return any(channel_of(address) is Channel.PUSH for address in addresses)


def doubts(target: str, config: Path) -> list[Doubt]:
    """Return why a target would not be reached, as its sender would find; no secret is shown."""
    try:
        addresses = addresses_of(target, config)
    except NotSent as error:
        why, _, remedy = str(error).partition("; ")
        return [Doubt("no-address", f"{target} reaches nobody: {why}", remedy)]
    wanted = [address for address in addresses if channel_of(address) is Channel.PUSH]
    if not wanted:
        return []
    if not has_apprise():
        shown = target if target.startswith("@") else _scheme(target)
        missing = f"{shown} reaches nobody: Apprise is not installed, which sends to it"
        return [Doubt("missing-extra", missing, ALERTS_EXTRA)]
    is_known = import_module("scheduler.alerts.apprise_address").is_known
    of = f" of {target}" if target.startswith("@") else ""
    return [
        Doubt("bad-address", f"{_scheme(each)}{of} is no address that Apprise knows", _SERVICES)
        for each in wanted
        if not is_known(each)
    ]


def warnings(table: Crontab, config: Path) -> list[Problem]:
    """Return a warning for each target of a crontab by which nobody is reached, at its place.

    `config` is the folder with the files of addresses of who asks.
    """
    first: dict[str, Entry] = {}
    for entry in table.entries:
        for target in pushed(entry):
            first.setdefault(target, entry)
    if not first:
        return []
    text = list(lexer.split(table.text))
    found: list[Problem] = []
    for target, entry in first.items():
        number, at = _place(text, entry, target)
        line = text[number - 1]
        found += [
            problem(table.file, number, line, LintWarning(code, message, at, remedy))
            for code, message, remedy in doubts(target, config)
        ]
    return found


def _scheme(address: str) -> str:
    """Return an address as it may be shown: only the scheme is no secret."""
    return f"{address.partition('://')[0]}://…"


def _place(text: list[str], entry: Entry, target: str) -> tuple[int, int]:
    """Return the line, from 1, and the offset in it where an entry's target stands.

    That is its own line, or the nearest above with the setting in force; else the entry.
    """
    for number in range(entry.line, 0, -1):
        setting = _SETTING.match(text[number - 1])
        if setting and (at := text[number - 1].find(target, setting.end())) >= 0:
            return number, at
    return entry.line, 0
