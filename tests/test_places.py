"""Where things live, for root, for a user, under systemd; and which zone is local."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import tzlocal
from platformdirs.macos import MacOS

from scheduler import places as module
from scheduler.cli import library
from scheduler.errors import MeridianError
from scheduler.places import machine_zone, make_private, places, salt, zone_stamp

USER = 1000
ME = os.geteuid()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONFIG_HOME", "STATE_HOME", "RUNTIME_DIR"):
        monkeypatch.delenv(f"XDG_{name}", raising=False)
    return tmp_path


def test_a_user_has_one_crontab_in_the_configuration_folder(home: Path) -> None:
    found = places({}, USER)
    assert found.crontab == home / ".config/meridian/crontab"
    assert found.folder is None


def test_a_users_state_is_in_the_state_folder(home: Path) -> None:
    found = places({}, USER)
    assert found.state == home / ".local/state/meridian"
    assert found.versions == found.state / "versions"
    assert found.journal.parent == found.state


@pytest.mark.usefixtures("home")
def test_a_user_without_a_home_is_told_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # no HOME and no account
    with pytest.raises(MeridianError, match="set HOME"):
        places({}, USER)


def test_a_users_socket_is_in_the_runtime_folder(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    run = home / "run"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    found = places({"XDG_RUNTIME_DIR": str(run)}, USER)
    assert found.runtime == run / "meridian"
    assert found.socket == found.runtime / "control.sock"


def test_without_a_runtime_folder_it_is_with_the_state_not_in_a_shared_one(home: Path) -> None:
    assert places({}, USER).runtime == home / ".local/state/meridian"


def test_macos_has_places_of_its_own(home: Path) -> None:
    found = places({}, USER, user=MacOS("meridian", appauthor=False))
    assert found.crontab == home / "Library/Application Support/meridian/crontab"
    assert found.runtime.is_relative_to(home / "Library/Caches")


def test_root_has_a_folder_of_crontabs() -> None:
    found = places({}, 0)
    assert found.folder == Path("/etc/meridian/crontabs")
    assert found.crontab == Path("/etc/meridian/crontabs/crontab")
    assert (found.state, found.runtime) == (Path("/var/lib/meridian"), Path("/run/meridian"))


@pytest.mark.parametrize("uid", [0, USER])
def test_systemds_folders_win_and_the_first_of_a_list_counts(uid: int) -> None:
    environ = {
        "CONFIGURATION_DIRECTORY": "/c:/c2",
        "STATE_DIRECTORY": "/s",
        "RUNTIME_DIRECTORY": "/r:/r2",
    }
    found = places(environ, uid)
    assert found.crontab == Path("/c/crontabs/crontab" if uid == 0 else "/c/crontab")
    assert (found.state, found.runtime) == (Path("/s"), Path("/r"))


@pytest.mark.parametrize("uid", [0, USER])
def test_a_state_folder_of_ones_own_wins_over_all_and_holds_the_socket(uid: int) -> None:
    environ = {"STATE_DIRECTORY": "/s", "RUNTIME_DIRECTORY": "/r"}
    found = places(environ, uid, state=Path("/mine"))
    assert (found.state, found.runtime) == (Path("/mine"), Path("/mine"))


@pytest.mark.parametrize("name", ["Asia/Tokyo", ":Asia/Tokyo"])
def test_the_local_zone_is_the_one_that_tz_names(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TZ", name)
    assert machine_zone() == (ZoneInfo("Asia/Tokyo"), None)


def test_without_tz_it_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: "America/Lima")
    assert machine_zone() == (ZoneInfo("America/Lima"), None)


@pytest.mark.parametrize("wrong", ["Mars/Olympus", "<+03>-3", "../etc/passwd"])
def test_a_tz_that_names_no_zone_is_utc_and_said_so(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("TZ", wrong)
    zone, problem = machine_zone()
    assert zone == ZoneInfo("UTC")
    assert problem is not None
    assert wrong in problem


def test_a_machine_without_a_zone_is_utc_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: None)
    zone, problem = machine_zone()
    assert zone == ZoneInfo("UTC")
    assert problem is not None


def test_a_machine_that_is_given_another_zone_is_seen_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    link, name = tmp_path / "localtime", tmp_path / "timezone"
    monkeypatch.setattr(module, "_ZONE_FILES", (link, name))
    stamps = [zone_stamp()]
    for city in ("Lima", "Tokyo"):
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / city)
        stamps += [zone_stamp(), zone_stamp()]
    assert stamps[1] == stamps[2]
    assert stamps[3] == stamps[4]
    assert len(set(stamps)) == 3


def test_entries_without_a_zone_go_with_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, link = tmp_path / "crontab", tmp_path / "localtime"
    file.write_text("0 9 * * * at-nine\nCRON_TZ=Asia/Tokyo 0 9 * * * open-market\n")
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(module, "_ZONE_FILES", (link,))
    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: "Europe/Berlin")
    crontabs = library.of([str(file)], places({}, os.geteuid(), state=tmp_path), system=False)
    berlin, before = crontabs.load().entries, crontabs.stamps()
    link.touch()
    monkeypatch.setattr(tzlocal, "get_localzone_name", lambda: "America/Lima")
    lima = crontabs.load().entries
    assert crontabs.stamps() != before
    assert [entry.zone.key for entry in berlin] == ["Europe/Berlin", "Asia/Tokyo"]
    assert [entry.zone.key for entry in lima] == ["America/Lima", "Asia/Tokyo"]
    assert [entry.job for entry in lima] == [entry.job for entry in berlin]


def test_the_salt_is_the_machines_and_stays_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_id = tmp_path / "machine-id"
    machine_id.write_text("one\n")
    monkeypatch.setattr(module, "_MACHINE_ID", machine_id)
    first = salt()
    assert first == salt()
    machine_id.write_text("another\n")
    assert salt() != first


def test_a_machine_without_an_id_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_MACHINE_ID", tmp_path / "none")
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
    with pytest.raises(MeridianError, match=f"belongs to user {USER}, not to user 0 or root"):
        make_private(tmp_path, 0)
    make_private(tmp_path, USER)


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MeridianError, match=r"can't make the state folder .*; name one with"):
        make_private(tmp_path / "file" / "state", ME)
    with pytest.raises(MeridianError, match="File exists"):
        make_private(tmp_path / "file", ME)
    with pytest.raises(MeridianError, match="can't make the runtime folder"):
        make_private(tmp_path / "file", ME, kind="runtime")
