"""The machine's environment in, where Meridian's files live out, and what tells it apart."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError
from scheduler.system import state_files, trusted_path
from scheduler.text import of_owner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from platformdirs.api import PlatformDirsABC

_APP = "meridian"
_SOCKET = "control.sock"
_CONFIG, _STATE, _RUNTIME = "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"
_REMEDY = ("su keeps it from another user: unset it", "su -m keeps it: set it to your own")


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the crontabs, the state and the sockets of one user (or of root) are.

    `crontab` is the file that edit, install and remove work on; `folder`, root's only, holds it
    and other crontabs in system form.
    """

    crontab: Path
    folder: Path | None
    state: Path
    runtime: Path

    @property
    def config(self) -> Path:
        """Where addresses and accounts of alerts are."""
        return self.crontab.parent if self.folder is None else self.folder.parent

    @property
    def versions(self) -> Path:
        """Where the old texts of edited crontabs are kept."""
        return self.state / "versions"

    @property
    def outputs(self) -> Path:
        """Where jobs write, a folder for each."""
        return self.state / "outputs"

    @property
    def journal(self) -> Path:
        """The database file."""
        return self.state / "journal.db"

    @property
    def socket(self) -> Path:
        """Where the daemon hears its user's commands, if it can have a socket there."""
        return self.runtime / _SOCKET

    @property
    def contact(self) -> Path:
        """Where commands find the daemon of this state: its socket, or a link to it."""
        return self.state / _SOCKET


def machine_socket(state: Path | None = None) -> Path:
    """Return where the machine's daemon hears everybody: by no variable of who asks."""
    return paths({}, 0, state=state).socket


def paths(
    environ: Mapping[str, str],
    uid: int,
    *,
    state: Path | None = None,
    user: PlatformDirsABC | None = None,
    platform: str = sys.platform,
) -> Paths:
    """Return the paths of this user; root's when `uid` is 0.

    systemd's CONFIGURATION_DIRECTORY, STATE_DIRECTORY and RUNTIME_DIRECTORY win (the first of a
    list), a given `state` folder wins over those and takes the sockets in too, so that daemons
    with states of their own share nothing. An XDG_RUNTIME_DIR that others get into is none. `user`
    are the user's folders, the system's by default. Raises MeridianError for a user without a home.
    """
    config, default_state, runtime = _users(user, environ, uid) if uid else _roots(platform)
    config = _first(environ, "CONFIGURATION_DIRECTORY") or config
    default_state = _first(environ, "STATE_DIRECTORY") or default_state
    runtime = _first(environ, "RUNTIME_DIRECTORY") or runtime or default_state
    folder = config / "crontabs" if uid == 0 else None
    return Paths(
        crontab=(folder or config) / "crontab",
        folder=folder,
        state=state or default_state,
        runtime=state or runtime,
    )


@contextmanager
def entered(folder: Path, uid: int) -> Iterator[None]:
    """Work in a state folder, see `make_private`: what is in it is found in this one alone."""
    with state_files.kept(folder, _opened(folder, uid, "state")):
        yield


def make_private(folder: Path, uid: int, *, kind: str = "state", is_seen: bool = False) -> None:
    """Make a folder that is this user's alone; one that is there already is left as it is.

    Whoever may only look into that one sees no secret, since everything in it is private by itself.
    One that `is_seen` is opened so far: everybody finds what is in it, and nobody else changes it.
    Raises MeridianError if others can write it, or put another in its place, or it belongs to
    another user than `uid` or root.
    """
    descriptor = _opened(folder, uid, kind)
    try:
        if is_seen and os.fstat(descriptor).st_uid == uid:
            os.fchmod(descriptor, 0o755)
    finally:
        os.close(descriptor)


def make_outputs(paths: Paths) -> None:
    """Make the folder of outputs in a state folder that is worked in, or raise MeridianError."""
    try:
        state_files.make_folder(paths.outputs)
    except OSError as error:
        why = f"can't make {paths.outputs}: {error.strerror}"
        raise MeridianError(f"{why}; move it away, or name another folder with --state") from error


def _opened(folder: Path, uid: int, kind: str) -> int:
    try:
        descriptor = trusted_path.opened(folder, uid, make=True)
    except trusted_path.Untrusted as doubt:
        what = f"so another could be put in the place of the {kind} folder {folder}"
        advice = f"{doubt.advice}, or " if doubt.advice else ""
        message = f"{doubt.path}: {doubt.why}, {what}; {advice}name another with --state"
        raise MeridianError(message) from doubt
    except OSError as error:
        message = f"can't make the {kind} folder {folder}: {error.strerror}; name one with --state"
        raise MeridianError(message) from error
    try:
        _check(folder, os.fstat(descriptor), uid, kind)
    except MeridianError:
        os.close(descriptor)
        raise
    return descriptor


def _check(folder: Path, status: os.stat_result, uid: int, kind: str) -> None:
    if status.st_uid not in (0, uid):
        why = of_owner(status.st_uid, uid)
        raise MeridianError(f"the {kind} folder {folder} {why}; name another with --state")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        advice = f"name one of Meridian's own with --state, or chmod go-w {folder}"
        raise MeridianError(f"others can write the {kind} folder {folder}; {advice}")


def _roots(platform: str) -> tuple[Path, Path, Path | None]:
    run = "/var/run" if platform == "darwin" else "/run"  # a Mac has no /run, nor room for one
    return Path("/etc/meridian"), Path("/var/lib/meridian"), Path(run, "meridian")


def _users(
    user: PlatformDirsABC | None, environ: Mapping[str, str], uid: int
) -> tuple[Path, Path, Path | None]:
    dirs: PlatformDirsABC = user or import_module("platformdirs").PlatformDirs(
        _APP, appauthor=False
    )  # which root's paths have no need of
    try:
        config, state = dirs.user_config_path, dirs.user_state_path
    except RuntimeError as error:
        raise MeridianError("this user has no home folder that is known; set HOME") from error
    return config, state, _users_runtime(dirs, environ.get(_RUNTIME, ""), uid)


def _users_runtime(dirs: PlatformDirsABC, named: str, uid: int) -> Path | None:
    """Return the user's runtime folder; None where there is none that others can't get into.

    Judged here, since the library's answer to a bad one is a shared temporary folder, which anyone
    may have made.
    """
    if not named:
        is_mac = isinstance(dirs, import_module("platformdirs.macos").MacOS)
        return dirs.user_runtime_path if is_mac else None
    return Path(named) / _APP if _is_private(named, uid) else None


def _is_private(folder: str, uid: int) -> bool:
    """Say whether it is what XDG_RUNTIME_DIR must be: absolute, this user's, and 0700.

    That is the XDG Base Directory Specification; `su` keeps the variable of another user.
    """
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    is_users_alone = status.st_uid == uid and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return folder.startswith("/") and stat.S_ISDIR(status.st_mode) and is_users_alone


def astray(folder: Path, environ: Mapping[str, str], uid: int) -> str:
    """Return in a sentence which variable leads this user to a folder of another; "" if none does.

    `su` keeps XDG's variables, and with -m or -p HOME as well. Root goes by none of them.
    """
    for name in (_CONFIG, _STATE, "HOME") if uid else ():
        named = environ.get(name, "")
        if named.startswith("/") and folder.is_relative_to(named):
            whose = _whose(folder, uid)
            return whose and f"{name} is {named}, but {whose}; {_REMEDY[name == 'HOME']}"
    return ""


def _whose(folder: Path, uid: int) -> str:
    """Return that a folder, or the nearest above it that is there, is another user's."""
    for each in (folder, *folder.parents):
        try:
            owner = each.stat().st_uid
        except PermissionError:
            return f"{each} is not open to user {uid}"
        except OSError:
            continue
        return "" if owner in (0, uid) else f"{each} belongs to user {owner}, not to user {uid}"
    return ""


def _first(environ: Mapping[str, str], name: str) -> Path | None:
    first = environ.get(name, "").split(":")[0]
    return Path(first) if first else None
