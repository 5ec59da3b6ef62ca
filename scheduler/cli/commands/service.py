"""The daemon as a service of systemd or launchd: `service install`, `remove` and `status`."""

from __future__ import annotations

import os
import pwd
import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import scheduler
from scheduler.cli import output
from scheduler.cli.adopt import handover
from scheduler.cli.option_parser import one_of
from scheduler.cli.service_plan import (
    Call,
    DeleteFile,
    LaunchdService,
    ServiceChange,
    ServiceOf,
    SystemdService,
    WriteFile,
)
from scheduler.errors import MeridianError
from scheduler.system import helper_program, service_files
from scheduler.system.helper_program import HelperEnded
from scheduler.system.service_files import LABEL, SERVICE_NAME, ServiceFile
from scheduler.system.time_limit import TimeLimit
from scheduler.system.trusted_path import Untrusted, opened

app = typer.Typer()

_ROOT = Path("/")
_START_PATIENCE = 600.0  # seconds: a first start may bring a large journal up to date
_PACKAGED = ("etc/systemd", "usr/lib/systemd", "lib/systemd")
_PROPERTIES = (
    "ActiveState",
    "SubState",
    "UnitFileState",
    "MainPID",
    "StatusText",
    "NeedDaemonReload",
)
_UP = {"active", "reloading"}
_NO_MANAGER = "Failed to connect"  # what systemctl says without a bus; no language changes it


class ServiceAction(StrEnum):
    """What is to be done about the service."""

    INSTALL = "install"
    REMOVE = "remove"
    STATUS = "status"


class ServiceTrouble(MeridianError):
    """The service can't be had, or what takes care of services has refused."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the service does; None is what the system does not say."""

    is_up: bool
    state: str
    at_boot: str | None = None
    pid: int | None = None
    says: str | None = None
    is_stale: bool = False  # its file was changed since it was read


@app.command(epilog="Example:  meridian service install --user --dry-run")
def service(
    action: Annotated[
        ServiceAction,
        typer.Argument(
            metavar="ACTION",
            help="install, remove or status.",
            parser=one_of(ServiceAction),
            autocompletion=one_of(ServiceAction).offered,
        ),
    ],
    user: Annotated[
        bool, typer.Option("--user", help="Yours alone, without root; else the whole machine's.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The status as one JSON object.")] = False,
) -> None:
    """Have the daemon started now and at each boot: by systemd or launchd.

    install writes one file, enables and starts the service, and says each file and command; remove
    undoes that, and leaves crontabs, runs and their output. status says how it does; exit status 1
    if it is not running.
    """
    if json and action is not ServiceAction.STATUS:
        raise typer.BadParameter(f"--json is for status, not for {action}")
    found = _service(user=user)
    match action:
        case ServiceAction.INSTALL:
            _install(found, dry_run=dry_run)
        case ServiceAction.REMOVE:
            _remove(found, dry_run=dry_run)
        case ServiceAction.STATUS:
            _status(found, json=json)


def _install(found: ServiceOf, *, dry_run: bool) -> None:
    _check_rights(found)
    path = found.file.path
    if path.is_file() and not found.file.is_ours(path.read_bytes()):
        raise ServiceTrouble(f"{path} is not Meridian's own; move it away first")
    if not _is_users(found):
        _check_program()
    changes = found.install()
    if dry_run:
        _carry_out(changes, dry_run=True)
        return
    is_stale = any(isinstance(each, WriteFile) for each in changes) and _health(found).is_up
    _carry_out(changes, dry_run=False)
    if is_stale and isinstance(found, SystemdService):
        restart = found.call("restart", SERVICE_NAME)
        output.say(f"The daemon that runs goes by the old file until you {restart}")
    output.say(f"Meridian is started now and {_when(found)}; `{_typed(found, 'remove')}` undoes it")
    _tell_of_lingering(found)


def _remove(found: ServiceOf, *, dry_run: bool) -> None:
    _check_rights(found)
    if not _is_users(found) and handover.is_taken():
        way = "meridian adopt --give-back lets cron run them again; then remove the service"
        raise ServiceTrouble(f"cron is stopped, and its tables are this service's: {way}")
    changes = found.remove()
    if not changes:
        output.say(f"There is no {found.where}: nothing to remove")
        return
    _carry_out(changes, dry_run=dry_run)
    if not dry_run:
        output.say("Crontabs, runs and their output stay")


def _status(found: ServiceOf, *, json: bool) -> None:
    health, is_there = _health(found), found.where.exists()
    if json:
        row = {
            "file": str(found.where),
            "installed": is_there,
            "state": health.state,
            "at_boot": health.at_boot,
            "pid": health.pid,
            "says": health.says,
            "linger": _lingers(found),
        }
        output.row(row)
    else:
        _show(found, health, is_there=is_there)
    if not health.is_up:
        raise typer.Exit(1)


def _show(found: ServiceOf, health: Health, *, is_there: bool) -> None:
    rows = [("file", str(found.where) if is_there else f"none: {_typed(found, 'install')}")]
    rows.append(("state", health.state + (f", pid {health.pid}" if health.pid else "")))
    rows += [("at boot", health.at_boot)] if health.at_boot else []
    rows += [("says", health.says)] if health.says else []
    for name, value in rows:
        output.say(f"{name:<9}{value}")
    if health.is_stale and isinstance(found, SystemdService):
        output.note(f"Its file was changed since: {found.call('daemon-reload')}")
    _tell_of_lingering(found)


# --- whose service, and by which manager ---------------------------------------------------------


def _service(*, user: bool) -> ServiceOf:
    """Return the service of this machine or user; ServiceTrouble where nothing manages services."""
    if user and not os.geteuid():
        raise ServiceTrouble("--user is for an ordinary user; root's service is the machine's")
    who = pwd.getpwuid(os.geteuid())
    home = Path(os.environ.get("HOME") or who.pw_dir) if user else None
    program = _program()
    if sys.platform == "darwin":
        made = service_files.property_list(program, home, _ROOT)
        return LaunchdService(made, who.pw_uid if user else None)
    if not (_ROOT / "run/systemd/system").is_dir():  # sd_booted(3)
        why = "neither systemd nor launchd looks after this machine"
        raise ServiceTrouble(f"{why}; let what does start `{' '.join(program)} run`")
    config = _ROOT / "etc/systemd"
    if home is not None:
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "systemd"
    unit = service_files.systemd_unit(program, home, config)
    whose = "user" if user else "system"
    packaged = (_ROOT / each / whose / unit.path.name for each in _PACKAGED)
    there = next((each for each in packaged if each != unit.path and each.is_file()), None)
    return SystemdService(unit, who.pw_name if user else None, there)


def _program() -> tuple[str, ...]:
    """Return how this program was called, as it can be called from anywhere."""
    called = Path(sys.argv[0]).absolute()
    if called.name == "__main__.py":
        return (sys.executable, "-m", "scheduler")
    return (str(called),)


def _check_rights(found: ServiceOf) -> None:
    if os.geteuid() and not _is_users(found):
        ways = "sudo meridian service …, or --user for a service of your own"
        raise ServiceTrouble(f"the machine's service is root's: {ways}")


def _check_program() -> None:
    """Raise ServiceTrouble if another user could change what root is to run at each boot."""
    for path in (Path(_program()[0]), Path(sys.executable), Path(scheduler.__file__)):
        why = _doubt(path.resolve())
        if why:
            remedy = "install it for the machine: sudo make install PREFIX=/usr/local"
            raise ServiceTrouble(f"{why}, and root is to run it at each boot; {remedy}")


def _doubt(file: Path) -> str:
    """Return why a file can't be trusted by root, "" if it can."""
    try:
        os.close(opened(file.parent, 0))
    except Untrusted as doubt:
        return f"{doubt.path}: {doubt.why}"
    status = file.stat()
    is_roots = status.st_uid == 0 and not status.st_mode & 0o022
    return "" if is_roots else f"{file}: it is not root's alone to write"


def _is_users(found: ServiceOf) -> bool:
    return (found.user if isinstance(found, SystemdService) else found.uid) is not None


def _when(found: ServiceOf) -> str:
    return "when you log in" if _is_users(found) and not _lingers(found) else "at each boot"


def _typed(found: ServiceOf, action: str) -> str:
    return f"meridian service {action}{' --user' if _is_users(found) else ''}"


def _lingers(found: ServiceOf) -> bool | None:
    """Say whether a user's services outlive the last logout; None where that means nothing."""
    if not isinstance(found, SystemdService) or found.user is None:
        return None
    return (_ROOT / "var/lib/systemd/linger" / found.user).exists()


def _tell_of_lingering(found: ServiceOf) -> None:
    if _lingers(found) is False and isinstance(found, SystemdService):
        remedy = f"sudo loginctl enable-linger {found.user}"
        output.note(f"Your jobs run only while you are logged in; so that they always do: {remedy}")


# --- what is done --------------------------------------------------------------------------------


def _carry_out(changes: list[ServiceChange], *, dry_run: bool) -> None:
    """Do it, and say each thing when it is done; what follows a failure is not done."""
    for change in changes:
        if dry_run:
            output.say(f"would {change}")
            continue
        _do(change)
        output.say(f"{change}: done")


def _do(change: ServiceChange) -> None:
    match change:
        case WriteFile(file):
            _write(file)
        case DeleteFile(path):
            path.unlink(missing_ok=True)
        case Call(words, may_fail):
            ended = _called(words)
            if ended.code and not may_fail:
                raise _refusal(change, ended)


def _refusal(call: Call, ended: HelperEnded) -> ServiceTrouble:
    """Return what was said against a call, and what helps where a user has no manager."""
    said = " ".join((ended.err or ended.out).split()) or f"it ended with {ended.code}"
    if "--user" in call.words and _NO_MANAGER in said:
        user = pwd.getpwuid(os.geteuid()).pw_name
        ways = f"log in as {user} (su is no login), or sudo loginctl enable-linger {user}"
        said = f"{said}; systemd runs nothing for you yet: {ways}"
    return ServiceTrouble(f"{call}: {said}")


def _write(file: ServiceFile) -> None:
    """Write it whole or not at all; anybody may read it."""
    file.path.parent.mkdir(parents=True, exist_ok=True)
    new = file.path.with_name(f".{file.path.name}.new")
    new.write_bytes(file.text)
    new.chmod(0o644)
    new.replace(file.path)


def _called(words: tuple[str, ...]) -> HelperEnded:
    program = helper_program.found(words[0], os.environ)
    environ = dict(os.environ)
    runtime = f"/run/user/{os.geteuid()}"
    if "--user" in words and not environ.get("XDG_RUNTIME_DIR") and Path(runtime).is_dir():
        environ["XDG_RUNTIME_DIR"] = runtime  # where the user's manager is found; su forgets it
    return helper_program.run((program, *words[1:]), TimeLimit(_START_PATIENCE), environ)


def _health(found: ServiceOf) -> Health:
    if isinstance(found, LaunchdService):
        ended = _called(("launchctl", "print", f"{found.domain}/{LABEL}"))
        said = dict(re.findall(r"^\s*(state|pid) = (\S+)$", ended.out, re.MULTILINE))
        words = "not loaded" if ended.code else said.get("state", "unknown")
        return Health(words == "running", words, pid=int(said["pid"]) if "pid" in said else None)
    shown = found.call("show", "--property", ",".join(_PROPERTIES), SERVICE_NAME)
    ended = _called(shown.words)
    if ended.code:
        raise _refusal(shown, ended)
    facts = dict(line.split("=", 1) for line in ended.out.splitlines() if "=" in line)
    state = facts.get("ActiveState", "unknown")
    return Health(
        is_up=state in _UP,
        state=f"{state} ({facts.get('SubState', '')})",
        at_boot=facts.get("UnitFileState") or None,
        pid=int(facts.get("MainPID") or 0) or None,
        says=facts.get("StatusText") or None,
        is_stale=facts.get("NeedDaemonReload") == "yes",
    )
