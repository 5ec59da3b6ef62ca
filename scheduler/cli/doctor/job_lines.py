"""What would keep the jobs of the crontabs from running: bad lines, missing programs."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from scheduler.cli import alert_targets
from scheduler.cli.doctor.diagnosis import Diagnosis, fine, problem, warning
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.cli.inherited import of_user
from scheduler.crontab import diagnostics, program_name
from scheduler.day_rules import HOLIDAYS
from scheduler.entry import Entry, Severity
from scheduler.process.direct_exec import SHELL_WORDS
from scheduler.process.job_environment import Inheritance
from scheduler.system.crontab_loader import Loaded
from scheduler.text import counted

_CHANGES_FOLDER = re.compile(r"\b(?:cd|pushd)\b")
_PROGRAMS_TOLD = 10  # findings of one kind; the rest is a number


def lines(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield what `check` says of the crontabs, in short."""
    if facts.unreadable:
        message, _, remedy = facts.unreadable.partition("; ")
        yield problem(message, remedy or "name a file that can be read")
        return
    found, entries = facts.loaded.problems, len(facts.loaded.entries)
    errors = [each for each in found if each.severity is Severity.ERROR]
    said = diagnostics.summary(entries, found)
    if errors:
        first = diagnostics.headline(errors[0])
        yield problem(f"{said}, the first: {first}", "meridian check tells all of them")
    elif found:
        yield warning(said, "meridian check tells what is doubtful")
    else:
        yield fine(said)
    kept = 0 if facts.snapshot is None else facts.snapshot.crontabs.kept
    if kept:
        what = f"{counted(kept, 'entry')} of the daemon's can't be read now, and go on as before"
        yield warning(what, "meridian check names their lines")


def programs(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield which programs are not where a job would look for them."""
    found: list[Diagnosis] = []
    for entry in facts.loaded.entries:
        inheritance = of_user(entry, facts.surroundings.inheritance)
        if inheritance is None:
            what = f"{entry.job}: there is no user {entry.user}, so it can't start"
            found.append(problem(what, "make that user, or name another one"))
        else:
            found += judged(entry, _begun(entry, inheritance))
    unique = list(dict.fromkeys(found))
    yield from unique[:_PROGRAMS_TOLD]
    if len(unique) > _PROGRAMS_TOLD:
        yield problem(f"and {len(unique) - _PROGRAMS_TOLD} more like these", "mend these first")
    if not unique and facts.loaded.entries:
        number = counted(len(facts.loaded.entries), "job")
        yield fine(f"those of {number} are on the PATH that each will have")


def _begun(entry: Entry, inheritance: Inheritance) -> Mapping[str, str]:
    """Return the variables of a job as it begins: a user's without a home does in `/`."""
    variables = inheritance.of(entry.environment).variables
    is_assigned = any(name == "HOME" for name, _ in entry.environment)
    if entry.user is None or is_assigned or Path(variables["HOME"]).exists():
        return variables
    return {**variables, "HOME": "/"}


def judged(entry: Entry, variables: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Yield what an entry would not find, with these variables."""
    home, shell = variables["HOME"], variables["SHELL"]
    path = variables.get("PATH", os.defpath)
    if not Path(home).is_dir():
        what = f"{entry.job}: its HOME {home} is no folder, so it can't start"
        yield problem(what, "set HOME= above its line")
        return
    if shutil.which(shell, path=path) is None:
        what = f"{entry.job}: there is no shell {shell}, so it can't start"
        yield problem(what, "set SHELL= above its line")
        return
    word = program_name.written(entry.command)
    if not word or word in SHELL_WORDS or _goes_elsewhere(entry.command, word):
        return
    if "/" in word:
        place = Path(home, word.replace("~", home, 1) if word.startswith("~/") else word)
        if not os.access(place, os.X_OK):
            way = "it is not there" if not place.exists() else "it may not be run: chmod +x"
            yield _missing(entry, f"{entry.job}: {place}: {way}", "mend its line, or the file")
    elif shutil.which(word, path=path) is None:
        way = f"write its whole path, or set PATH= above its line; here it is {_elsewhere(word)}"
        yield _missing(entry, f"{entry.job}: {word} is not on its PATH ({path})", way)


def _goes_elsewhere(command: str, word: str) -> bool:
    """Say whether a path is relative to a folder that the command itself goes to."""
    is_relative = "/" in word and not word.startswith(("/", "~/"))
    return is_relative and _CHANGES_FOLDER.search(command) is not None


def _missing(entry: Entry, what: str, remedy: str) -> Diagnosis:
    """Return a warning where the command itself may ask before it uses the program."""
    may_ask = any(sign in entry.command for sign in ("&&", "||", ";", "if "))
    return (warning if may_ask else problem)(what, remedy)


def _elsewhere(word: str) -> str:
    return shutil.which(word) or "on no PATH either"


def extras(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield what entries need that is not installed."""
    config = facts.paths.config
    needing = [
        entry
        for entry in facts.loaded.entries
        if any(
            alert_targets.needs_apprise(target, config) for target in alert_targets.pushed(entry)
        )
    ]
    if needing and not alert_targets.has_apprise():
        who = f"{needing[0].job} alerts an address, for which the library apprise is missing"
        yield problem(who, alert_targets.ALERTS_EXTRA)
    elif needing:
        yield fine(
            f"{counted(len(needing), 'job')} can alert addresses: apprise is there",
        )
    yield from _calendar_extra(facts.loaded)


def _calendar_extra(loaded: Loaded) -> Iterator[Diagnosis]:
    refused = [each for each in loaded.problems if each.code == "missing-extra"]
    if refused:
        first, more = refused[0], len(refused) - 1
        where = f"{first.file}:{first.line}: {first.message}"
        yield problem(f"{where}; {more} more like it" if more else where, first.hint)
    elif needing := sum(map(needs_calendars, loaded.entries)):
        yield fine(f"{counted(needing, 'job')} can go by calendars: their libraries are there")


def needs_calendars(entry: Entry) -> bool:
    """Say whether an entry goes by a calendar that the extra `calendar` is for."""
    rules = entry.schedule.day_rules
    sets = () if rules is None else (rules.excepted, rules.only)
    sources = [each.source for some in sets if some is not None for each in some.calendars]
    return any(each.startswith(HOLIDAYS) or each.endswith(".ics") for each in sources)
