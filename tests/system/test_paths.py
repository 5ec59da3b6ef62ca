"""Where things live, for root, for a user, under systemd."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from platformdirs.macos import MacOS
from users import OTHER

from scheduler.errors import MeridianError
from scheduler.system import machine_salt
from scheduler.system.machine_salt import salt
from scheduler.system.paths import astray, make_private, paths

USER = 1000
ME = os.geteuid()
ONE = ME or USER  # some user who is not root


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONFIG_HOME", "STATE_HOME", "RUNTIME_DIR"):
        monkeypatch.delenv(f"XDG_{name}", raising=False)
    return tmp_path


def test_a_user_has_one_crontab_in_the_configuration_folder(home: Path) -> None:
    found = paths({}, USER)
    assert found.crontab == home / ".config/meridian/crontab"
    assert found.folder is None


def test_a_users_state_is_in_the_state_folder(home: Path) -> None:
    found = paths({}, USER)
    assert found.state == home / ".local/state/meridian"
    assert found.versions == found.state / "versions"
    assert found.journal.parent == found.state


def test_a_relative_path_of_a_variable_counts_as_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the XDG Base Directory Specification has it."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, "here")
    found = paths({}, USER)
    assert (found.crontab.parent, found.state) == (
        home / ".config/meridian",
        home / ".local/state/meridian",
    )


@pytest.mark.usefixtures("home")
def test_a_user_without_a_home_is_told_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # no HOME and no account
    with pytest.raises(MeridianError, match="set HOME"):
        paths({}, USER)


def runtime_folder(home: Path) -> Path:
    """As the system makes one for each user that logs in."""
    folder = home / "run"
    folder.mkdir(mode=0o700)
    os.chown(folder, ONE, -1)
    return folder


def test_a_users_socket_is_in_the_runtime_folder(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    run = runtime_folder(home)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    found = paths({"XDG_RUNTIME_DIR": str(run)}, ONE)
    assert found.runtime == run / "meridian"
    assert found.socket == found.runtime / "control.sock"
    assert found.contact == found.state / "control.sock"


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o720, 0o770, 0o777, 0o1777])
def test_a_runtime_folder_that_others_get_into_is_none(home: Path, mode: int) -> None:
    """And nothing stands in for it that anyone may have made, as the library's own answer does."""
    run = runtime_folder(home)
    run.chmod(mode)
    found = paths({"XDG_RUNTIME_DIR": str(run)}, ONE)
    assert found.runtime == found.state == home / ".local/state/meridian"


@pytest.mark.parametrize("named", ["run", "./run", "", "/no/such/folder", "{}/file", "{}/link"])
def test_what_is_no_runtime_folder_is_none(
    home: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """Neither relative, nor missing, nor a file, nor a link."""
    monkeypatch.chdir(home)
    (home / "link").symlink_to(runtime_folder(home))
    (home / "file").touch(mode=0o600)
    found = paths({"XDG_RUNTIME_DIR": named.format(home)}, ONE)
    assert found.runtime == found.state


@pytest.mark.privileged
@pytest.mark.parametrize("owner", [0, OTHER])
def test_a_runtime_folder_of_another_user_is_none(home: Path, owner: int) -> None:
    run = runtime_folder(home)
    os.chown(run, owner, owner)
    found = paths({"XDG_RUNTIME_DIR": str(run)}, ONE)
    assert found.runtime == found.state


@pytest.mark.parametrize("name", ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"])
def test_a_variable_that_leads_to_ones_own_folder_leads_nobody_astray(
    tmp_path: Path, name: str
) -> None:
    for folder in (tmp_path, tmp_path / "x", tmp_path / "x/y/z"):
        assert astray(folder, {name: str(tmp_path)}, ME or USER) == ""
    assert astray(Path("/elsewhere"), {name: str(tmp_path)}, USER) == ""


@pytest.mark.privileged
@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("XDG_STATE_HOME", "su keeps it from another user: unset it"),
        ("XDG_CONFIG_HOME", "su keeps it from another user: unset it"),
        ("HOME", "su -m keeps it: set it to your own"),
    ],
)
def test_a_variable_that_leads_to_another_users_folder_is_told_of(
    tmp_path: Path, name: str, remedy: str
) -> None:
    theirs, environ = tmp_path / "theirs", {name: str(tmp_path)}
    theirs.mkdir()
    os.chown(theirs, OTHER, OTHER)
    why = f"{theirs} belongs to user {OTHER}, not to user {USER}"
    assert astray(theirs / "x/y", environ, USER) == f"{name} is {tmp_path}, but {why}; {remedy}"
    assert astray(theirs / "x/y", environ, OTHER) == ""
    assert astray(theirs / "x/y", environ, 0) == "", "root goes by none of them"


def test_without_a_runtime_folder_it_is_with_the_state_not_in_a_shared_one(home: Path) -> None:
    assert paths({}, USER).runtime == home / ".local/state/meridian"


def test_macos_has_folders_of_its_own(home: Path) -> None:
    found = paths({}, USER, user=MacOS("meridian", appauthor=False))
    assert found.crontab == home / "Library/Application Support/meridian/crontab"
    assert found.runtime.is_relative_to(home / "Library/Caches")


def test_root_has_a_folder_of_crontabs() -> None:
    found = paths({}, 0, platform="linux")
    assert found.folder == Path("/etc/meridian/crontabs")
    assert found.crontab == Path("/etc/meridian/crontabs/crontab")
    assert (found.state, found.runtime) == (Path("/var/lib/meridian"), Path("/run/meridian"))


def test_root_of_a_mac_has_its_socket_below_var() -> None:
    """Nobody makes a folder in / there: the system's volume can't be written."""
    found = paths({}, 0, platform="darwin")
    assert (found.state, found.runtime) == (Path("/var/lib/meridian"), Path("/var/run/meridian"))


@pytest.mark.parametrize("uid", [0, USER])
def test_systemds_folders_win_and_the_first_of_a_list_counts(uid: int) -> None:
    environ = {
        "CONFIGURATION_DIRECTORY": "/c:/c2",
        "STATE_DIRECTORY": "/s",
        "RUNTIME_DIRECTORY": "/r:/r2",
    }
    found = paths(environ, uid)
    assert found.crontab == Path("/c/crontabs/crontab" if uid == 0 else "/c/crontab")
    assert (found.state, found.runtime) == (Path("/s"), Path("/r"))


@pytest.mark.parametrize("uid", [0, USER])
def test_a_state_folder_of_ones_own_wins_over_all_and_holds_the_socket(uid: int) -> None:
    environ = {"STATE_DIRECTORY": "/s", "RUNTIME_DIRECTORY": "/r"}
    found = paths(environ, uid, state=Path("/mine"))
    assert (found.state, found.runtime) == (Path("/mine"), Path("/mine"))


def test_the_salt_is_the_machines_and_stays_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_id = tmp_path / "machine-id"
    machine_id.write_text("one\n")
    monkeypatch.setattr(machine_salt, "_MACHINE_ID", machine_id)
    first = salt()
    assert first == salt()
    machine_id.write_text("another\n")
    assert salt() != first


def test_a_machine_without_an_id_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine_salt, "_MACHINE_ID", tmp_path / "none")
    assert salt() == salt() != ""


# --- the state folder ----------------------------------------------------------------------------


def test_a_state_folder_that_is_made_is_its_users_alone(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        make_private(tmp_path / "a" / "state", ME)
    finally:
        os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a" / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("mode", "is_taken", "why"),
    [
        (0o700, True, "systemd's StateDirectoryMode"),
        (0o755, True, "what is in it is private by itself"),
        (0o775, False, "a group could put a journal there"),
        (0o757, False, "so could anybody"),
        (0o1777, False, "the sticky bit of /tmp keeps nobody from making a link"),
    ],
)
def test_a_state_folder_that_was_there_is_never_changed(
    tmp_path: Path, mode: int, is_taken: bool, why: str
) -> None:
    tmp_path.chmod(mode)
    if is_taken:
        make_private(tmp_path, ME)
    else:
        with pytest.raises(MeridianError, match=r"others can write .*; name one .*chmod go-w"):
            make_private(tmp_path, ME)
    assert tmp_path.stat().st_mode & 0o7777 == mode, why


@pytest.mark.skipif(ME != 0, reason="only root can give a folder away")
def test_a_state_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, USER, -1)
    with pytest.raises(MeridianError, match=f"belongs to user {USER}, not to root"):
        make_private(tmp_path, 0)
    make_private(tmp_path, USER)


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MeridianError, match=r"can't make the state folder .*; name one with"):
        make_private(tmp_path / "file" / "state", ME)
    with pytest.raises(MeridianError, match="Not a directory"):
        make_private(tmp_path / "file", ME)
    with pytest.raises(MeridianError, match="can't make the runtime folder"):
        make_private(tmp_path / "file", ME, kind="runtime")
