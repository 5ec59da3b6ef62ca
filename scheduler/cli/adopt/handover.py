"""cron's tables from another cron to Meridian's daemon, and back: never with both, or with none.

Each step is told before it is taken. One that fails has those before it undone: all is then as it
was, by whoever's hand.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from scheduler.cli.adopt import crons_units, service_options
from scheduler.cli.adopt.crons_units import ANACRON_SERVICE, SERVICE, CronUnit, systemctl
from scheduler.cli.adopt.undoing import Tell, all_or_none, heard
from scheduler.errors import MeridianError
from scheduler.system import clock, cron_lock

OPTIONS_FILE = Path("/etc/meridian/service.env")
ADOPTED_FILE = Path("/etc/meridian/adopted.json")
_LOCK_PATIENCE = 60.0  # seconds until the lock is another's
_QUIET_SECONDS = (5, 25)  # of a minute: no job starts then, and the change is over before the next
_LOCK_LOOK = 0.1


class NotTaken(MeridianError):
    """The tables stay with who has them."""


@dataclass(frozen=True, slots=True)
class HandoverRecord:
    """How it was before: the units that were stopped, and whether Meridian's service ran."""

    crons: tuple[CronUnit, ...]
    was_active: bool

    def text(self) -> str:
        """Return it as it is kept."""
        names = {unit.name: unit.is_active for unit in self.crons}
        return json.dumps({"crons": names, "service_active": self.was_active}) + "\n"

    @classmethod
    def read(cls) -> HandoverRecord | None:
        """Return what was kept; None if nothing was."""
        try:
            kept = json.loads(ADOPTED_FILE.read_text())
            crons = tuple(CronUnit(name, bool(active)) for name, active in kept["crons"].items())
            return cls(crons, bool(kept["service_active"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotTaken(f"{ADOPTED_FILE} can't be read: {error}") from error


def nothing() -> None:
    """Find nothing that is against it."""


def take(tell: Tell, check: Callable[[], None] = nothing) -> None:
    """Stop the other crons for good, and have Meridian's daemon run their tables.

    Raises NotTaken where it can't be, and what `check` raises once no minute is about to begin;
    then all is as it was.
    """
    service = crons_units.unit(SERVICE)
    if service is None:
        raise NotTaken(f"there is no {SERVICE} here: meridian service install makes it")
    if others := crons_units.of_others():
        names = ", ".join(unit.name for unit in others)
        raise NotTaken(f"{names} runs here, which no lock keeps out: stop it first, for good")
    crons = tuple(unit for unit in crons_units.of_crons() if not unit.is_masked)
    if any(unit.is_active and unit.name == ANACRON_SERVICE for unit in crons):
        hint = f"try again when it has ended (systemctl status {ANACRON_SERVICE})"
        raise NotTaken(f"anacron is running its jobs, or waits for their delays: {hint}")
    tell = heard(tell)
    with all_or_none(tell) as undo:
        _keep_record(HandoverRecord(crons, service.is_active), undo)
        _wait_for_quiet(tell)
        check()
        # Undone from below: cron has its lock again before Meridian, if told to by hand, tries to
        _start_as_before(service, undo)
        _release(crons, undo)
        undo.callback(systemctl, "stop", SERVICE)
        _set_options(service_options.with_system, tell, undo)
        systemctl("enable", SERVICE)  # first: whatever ends this, one of them starts at boot
        if crons and service.is_active:
            tell(f"Stop {SERVICE}")  # first: if that takes long, cron runs its tables meanwhile
            systemctl("stop", SERVICE)
            _wait_for_quiet(tell)
        if crons:
            tell(f"Stop {_names(crons)} and mask them, so that no upgrade starts them")
            systemctl("mask", "--now", *(unit.name for unit in crons))
        tell(f"Start {SERVICE} as the system daemon")
        systemctl("restart", SERVICE)
        tell("Wait until it has cron's lock")
        _wait_for_lock(is_meridian=True)


def give_back(tell: Tell, check: Callable[[], None] = nothing, *, anyway: bool = False) -> None:
    """Have the other crons run their tables again, as before `take`.

    Raises NotTaken where it can't be, and what `check` raises: as `take`. `anyway`: though one of
    the crons is not here any more.
    """
    record = HandoverRecord.read()
    if record is None:
        raise NotTaken(f"nothing was taken over here: there is no {ADOPTED_FILE}")
    service = crons_units.unit(SERVICE)
    tell = heard(tell)
    with all_or_none(tell) as undo:
        _wait_for_quiet(tell)
        check()
        here = _unmask(record.crons, tell, undo, anyway=anyway)
        if service is not None:
            _start_as_before(service, undo)
        _set_options(service_options.without_system, tell, undo)
        tell(f"{'Restart' if record.was_active else 'Stop'} {SERVICE}, without cron's tables")
        if record.was_active:
            systemctl("restart", SERVICE)
        else:
            systemctl("disable", "--now", SERVICE)
        _wait_for_lock(is_meridian=False)
        _start_crons(here, tell, undo)
        ADOPTED_FILE.unlink(missing_ok=True)


def _unmask(
    crons: tuple[CronUnit, ...], tell: Tell, undo: ExitStack, *, anyway: bool
) -> list[CronUnit]:
    """Let the crons start again, and return those that are here: of a masked one nobody can tell.

    While Meridian has the lock none of them runs the tables.
    """
    if crons:
        tell(f"Unmask {_names(crons)}")
    for unit in crons:
        now = crons_units.unit(unit.name)
        if now is not None and now.is_masked:
            undo.callback(systemctl, "mask", unit.name)
        systemctl("unmask", unit.name)
    here = [unit for unit in crons if crons_units.unit(unit.name) is not None]
    if gone := tuple(unit for unit in crons if unit not in here):
        missing = f"not here any more: {_names(gone)}"
        tell(missing)
        if not anyway and any(unit.is_active for unit in gone):
            hint = "install it again, or give --anyway"
            raise NotTaken(f"{missing}; nobody would run the tables that it ran; {hint}")
    return here


def _start_crons(crons: list[CronUnit], tell: Tell, undo: ExitStack) -> None:
    if running := tuple(unit for unit in crons if unit.is_active):
        tell(f"Start {_names(running)}")
    for unit in running:
        undo.callback(systemctl, "stop", unit.name)
        systemctl("start", unit.name)


def is_taken() -> bool:
    """Say whether cron's tables were taken over here, and are not given back."""
    return ADOPTED_FILE.exists()


def planned() -> list[str]:
    """Return the units that `take` would stop."""
    return [unit.name for unit in crons_units.of_crons() if not unit.is_masked]


def _release(crons: tuple[CronUnit, ...], undo: ExitStack) -> None:
    """Let the crons be as they were, if it comes to that: a timer starts by no masked service."""
    for unit in crons:
        if unit.is_active:
            undo.callback(systemctl, "start", unit.name)
    if crons:
        undo.callback(systemctl, "unmask", *(unit.name for unit in crons))


def _keep_record(record: HandoverRecord, undo: ExitStack) -> None:
    """Keep how it is now; of what an earlier `take` has kept, how it was then."""
    before = HandoverRecord.read()
    if before is None:
        undo.callback(ADOPTED_FILE.unlink, missing_ok=True)
    else:
        undo.callback(_write, ADOPTED_FILE, before.text())
        known = {unit.name for unit in before.crons}
        new = tuple(unit for unit in record.crons if unit.name not in known)
        record = replace(before, crons=(*before.crons, *new))
    _write(ADOPTED_FILE, record.text())


def _start_as_before(service: CronUnit, undo: ExitStack) -> None:
    """Let Meridian's service run, and start at boot, as it did, if it comes to that."""
    undo.callback(systemctl, "restart" if service.is_active else "stop", SERVICE)
    undo.callback(systemctl, "enable" if service.is_enabled else "disable", SERVICE)


def _set_options(change: Callable[[str], str], tell: Tell, undo: ExitStack) -> None:
    before = OPTIONS_FILE.read_text() if OPTIONS_FILE.exists() else None
    after = change(before or "")
    if after == (before or ""):
        return
    tell(f"Write {OPTIONS_FILE}")
    mode = None if before is None else stat.S_IMODE(OPTIONS_FILE.stat().st_mode)
    undo.callback(_put_options, before, mode)
    _put_options(after or None, mode)


def _put_options(text: str | None, mode: int | None) -> None:
    """Put a text in the place of the service's options; None is no file."""
    if text is None:
        OPTIONS_FILE.unlink(missing_ok=True)
    else:
        _write(OPTIONS_FILE, text, mode)


def _write(path: Path, text: str, mode: int | None = None) -> None:
    """Put a text in the place of a file of root's, whole or not at all.

    `mode` is the file's own, as it was: there may be a secret in it.
    """
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o644 if mode is None else mode & 0o600)
    with draft.open("w") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _wait_for_quiet(tell: Tell) -> None:
    """Wait for a time in which no minute begins: it would be run by both, or by none."""
    first, last = _QUIET_SECONDS
    second = clock.RealClock().now().second
    if first <= second < last:
        return
    tell("Wait until the next minute has begun")
    clock.rest((first - second) % 60)


def _wait_for_lock(*, is_meridian: bool) -> None:
    """Wait until the system daemon has cron's lock, or has it no more."""
    end = clock.RealClock().monotonic() + _LOCK_PATIENCE
    while clock.RealClock().monotonic() < end:
        found = cron_lock.holder()
        if is_meridian == (found is not None and found.is_meridian):
            return
        clock.rest(_LOCK_LOOK)
    who = "Meridian's daemon does not get" if is_meridian else "Meridian's daemon goes on to have"
    raise NotTaken(
        f"{who} {cron_lock.CRON_PID} within {_LOCK_PATIENCE:.0f} s; see journalctl -u {SERVICE}"
    )


def _names(units: tuple[CronUnit, ...]) -> str:
    return ", ".join(unit.name for unit in units)
