"""Which zone is the machine's own: TZ, a link, a copy, none; as libc takes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from zonefiles import DAMAGES, moved, put

from scheduler.cli.crontabs import read_options
from scheduler.daemon.watched_crontabs import WatchedCrontabs
from scheduler.schedule import zone_data
from scheduler.system import crontab_loader, local_zone
from scheduler.system.local_zone import machine_zone, zone_stamp
from scheduler.system.paths import paths


def known(name: str) -> bytes:
    """What the database holds that zones are read from here."""
    return Path(zone_data.file_of(name) or "").read_bytes()


LIMA, BERLIN = known("America/Lima"), known("Europe/Berlin")


# --- TZ ------------------------------------------------------------------------------------------

NAMES = [  # TZ, the zone, why
    ("Asia/Tokyo", "Asia/Tokyo", "a name"),
    (":Asia/Tokyo", "Asia/Tokyo", "with a colon in front, as POSIX leaves it to the system"),
    ("", "UTC", "nothing is UTC, and not the machine's zone"),
    (":", "UTC", "nor is nothing behind a colon"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "why"), NAMES)
def test_the_local_zone_is_the_one_that_tz_names(
    tmp_path: Path, text: str, name: str, why: str
) -> None:
    localtime = put(tmp_path, "localtime", LIMA)
    zone, problem = machine_zone({"TZ": text}, localtime)
    assert (zone.key, problem) == (name, None), why


@pytest.mark.parametrize(("text", "name", "why"), NAMES)
def test_the_date_command_agrees_that_it_is(text: str, name: str, why: str) -> None:
    shown = subprocess.run(
        ["date", "-d", "@1800000000", "+%z"], env={"TZ": text}, capture_output=True, check=True
    )
    at = datetime.fromtimestamp(1800000000, ZoneInfo(name))
    assert shown.stdout.decode().strip() == f"{at:%z}", why


def test_tz_may_name_a_file(tmp_path: Path) -> None:
    file = put(tmp_path, "mine", LIMA)
    assert machine_zone({"TZ": f":{file}"})[0].key == "America/Lima"


@pytest.mark.parametrize("wrong", ["Mars/Olympus", "../etc/passwd", "/nowhere/zone"])
def test_a_tz_that_names_no_zone_is_utc_and_said_so(wrong: str) -> None:
    zone, problem = machine_zone({"TZ": wrong})
    assert zone.key == "UTC"
    assert problem == (
        f"TZ={wrong} is not the name of a time zone, so UTC is taken;"
        " set TZ to a name like Europe/Berlin"
    )


# --- /etc/localtime ------------------------------------------------------------------------------


def local(folder: Path) -> tuple[str, str | None]:
    zone, problem = machine_zone({}, folder / "localtime")
    return zone.key, problem


@pytest.mark.parametrize(
    ("target", "name", "why"),
    [
        ("/usr/share/zoneinfo/America/Lima", "America/Lima", "Debian, Fedora, Alpine's setup-timezone"),
        ("../usr/share/zoneinfo/America/Lima", "America/Lima", "systemd's timedatectl"),
        ("/var/db/timezone/zoneinfo/America/Lima", "America/Lima", "macOS"),
        ("/etc/zoneinfo/America/Lima", "America/Lima", "NixOS"),
        ("/usr/share/zoneinfo/posix/America/Lima", "America/Lima", "the same rules by another path"),
        ("/usr/share/zoneinfo/Europe/Oslo", "Europe/Oslo", "the name that was chosen, not its twin's"),
    ],
)  # fmt: skip
def test_a_link_names_the_zone(tmp_path: Path, target: str, name: str, why: str) -> None:
    (tmp_path / "localtime").symlink_to(target)
    (tmp_path / "timezone").write_text("Asia/Tokyo\n")
    assert local(tmp_path) == (name, None), why


def test_a_link_to_a_link_names_the_zone(tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to("/usr/share/zoneinfo/America/Lima")
    (tmp_path / "localtime").symlink_to("mine")
    assert local(tmp_path) == ("America/Lima", None)


def test_a_link_names_the_zone_though_zones_are_read_from_another_database(tmp_path: Path) -> None:
    """As under a Python that brings its own, which writes the same rules in other bytes."""
    other = BERLIN.replace(b"LMT", b"XYZ")
    file = put(tmp_path, "opt/zoneinfo/Europe/Berlin", other)
    (tmp_path / "localtime").symlink_to(file)
    assert local(tmp_path) == ("Europe/Berlin", None)


def test_so_does_a_name_beside_a_copy_but_only_with_the_same_rules(tmp_path: Path) -> None:
    put(tmp_path, "localtime", BERLIN.replace(b"LMT", b"XYZ"))
    for name in ("Asia/Tokyo", "Mars/Olympus", "/etc/passwd"):
        (tmp_path / "timezone").write_text(f"{name}\n")
        assert local(tmp_path) == (str(tmp_path / "localtime"), None)
    (tmp_path / "timezone").write_text("Europe/Berlin\n")
    assert local(tmp_path) == ("Europe/Berlin", None)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to("localtime")
    (tmp_path / "localtime").symlink_to("mine")
    assert local(tmp_path) == ("UTC", None)  # libc can't open it, either


def test_a_link_to_other_rules_than_its_name_has_is_a_zone_of_its_own(tmp_path: Path) -> None:
    file = put(tmp_path, "opt/zoneinfo/Europe/Berlin", moved(BERLIN))
    (tmp_path / "localtime").symlink_to(file)
    zone, problem = machine_zone({}, tmp_path / "localtime")
    assert (zone.key, problem) == (str(tmp_path / "localtime"), None)
    assert zone.utcoffset(datetime(2040, 1, 1)) == timedelta(hours=3)


def test_a_copy_is_the_zone_and_a_stale_name_beside_it_is_not(tmp_path: Path) -> None:
    put(tmp_path, "localtime", LIMA)
    (tmp_path / "timezone").write_text("Asia/Tokyo\n")
    assert local(tmp_path) == ("America/Lima", None)


def test_a_name_beside_a_copy_chooses_among_names_of_the_same_rules(tmp_path: Path) -> None:
    put(tmp_path, "localtime", known("US/Pacific"))
    assert local(tmp_path) == ("America/Los_Angeles", None)
    (tmp_path / "timezone").write_text("US/Pacific\n")
    assert local(tmp_path) == ("US/Pacific", None)


def test_a_copy_of_no_zone_that_is_known_is_a_zone_all_the_same(tmp_path: Path) -> None:
    file = put(tmp_path, "localtime", moved(BERLIN))
    (tmp_path / "timezone").write_text("Europe/Berlin\n")
    zone, problem = machine_zone({}, file)
    assert (zone.key, problem) == (str(file), None)
    assert zone.utcoffset(datetime(2040, 1, 1)) == timedelta(hours=3)


def test_without_a_file_it_is_utc_whatever_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "timezone").write_text("Asia/Tokyo\n")
    assert local(tmp_path) == ("UTC", None)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_said_and_no_entry_goes_by_it(tmp_path: Path, damage: str) -> None:
    file = put(tmp_path, "localtime", DAMAGES[damage](BERLIN))
    zone, problem = machine_zone({}, file)
    assert zone is zone_data.NOBODYS
    assert problem is not None
    assert problem.startswith(f"the zone file {file} is damaged: {damage}")
    crontab = tmp_path / "crontab"
    crontab.write_text("0 9 * * * x\nCRON_TZ=Asia/Tokyo 0 9 * * * y\n@reboot z\n@every 2h e\n")
    loaded = crontab_loader.load([str(crontab)], read_options(zone, named=True, system=False))
    assert [entry.command for entry in loaded.entries] == ["y", "z", "e"]
    assert [(each.line, each.column, each.code) for each in loaded.problems] == [
        (1, 1, "damaged-zone")
    ]
    assert loaded.crontabs[0].refused == {1}


# --- a daemon that goes on -----------------------------------------------------------------------


def test_a_machine_that_is_given_another_zone_is_seen_to_be(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    stamps = [zone_stamp(link)]
    for city in ("Lima", "Tokyo"):
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / city)
        stamps += [zone_stamp(link), zone_stamp(link)]
    put(tmp_path, "Tokyo", LIMA)
    stamps += [zone_stamp(link), zone_stamp(link)]
    assert all(stamps[n] == stamps[n + 1] for n in (1, 3, 5))
    assert len(set(stamps)) == 4


def test_entries_without_a_zone_go_with_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, localtime = tmp_path / "crontab", put(tmp_path, "localtime", BERLIN)
    file.write_text("0 9 * * * at-nine\nCRON_TZ=Asia/Tokyo 0 9 * * * open-market\n")
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(local_zone, "LOCALTIME", localtime)
    own = paths({}, os.geteuid(), state=tmp_path)
    reading = read_options(machine_zone()[0], named=True, system=False, trusts=False)
    crontabs = WatchedCrontabs((str(file),), own, reading)
    berlin, before = crontabs.load().entries, crontabs.stamps()
    put(tmp_path, "localtime", LIMA)
    assert crontabs.stamps() != before
    read = crontabs.load()
    lima = read.entries
    said = "the machine's zone is America/Lima now, and was Europe/Berlin"
    assert [(each.code, each.message) for each in read.problems] == [("other-zone", said)]
    assert crontabs.load().problems == ()  # it is said once
    assert [entry.zone.key for entry in berlin] == ["Europe/Berlin", "Asia/Tokyo"]
    assert [entry.zone.key for entry in lima] == ["America/Lima", "Asia/Tokyo"]
    assert [entry.job for entry in lima] == [entry.job for entry in berlin]
    put(tmp_path, "localtime", b"")  # what it was last is better than nothing
    zone_data.renew()
    assert [entry.zone.key for entry in crontabs.load().entries] == [
        "America/Lima",
        "Asia/Tokyo",
    ]


def test_a_folder_in_place_of_the_zone_file_is_called_what_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local_zone, "LOCALTIME", tmp_path)
    zone, why = machine_zone({})
    assert (zone.key, why) == ("UTC", f"{tmp_path} is no zone file, so UTC is taken; mend it")


@pytest.mark.privileged
@pytest.mark.e2e
def test_a_machine_with_a_copy_and_a_stale_name_is_where_its_date_command_says(
    tmp_path: Path,
) -> None:
    """Alpine's recipe, in an /etc of the test's own; nothing is said of it on standard error."""
    shutil.copytree("/etc", tmp_path / "etc", symlinks=True, ignore_dangling_symlinks=True)
    (tmp_path / "etc/localtime").unlink(missing_ok=True)
    put(tmp_path / "etc", "localtime", LIMA)
    (tmp_path / "etc/timezone").write_text("Asia/Tokyo\n")
    (tmp_path / "crontab").write_text("0 9 * * * x\n")
    own = f"{sys.executable} -m scheduler list --json {tmp_path / 'crontab'}"
    script = f"mount --bind {tmp_path / 'etc'} /etc && date +%z && {own} && TZ= {own}"
    environment = {name: text for name, text in os.environ.items() if name != "TZ"}
    told = subprocess.run(
        ("unshare", "--mount", "sh", "-c", script), capture_output=True, env=environment, check=True
    )
    date, copied, empty = told.stdout.decode().splitlines()
    zones = [json.loads(row)["zone"] for row in (copied, empty)]
    assert (date, zones, told.stderr) == ("-0500", ["America/Lima", "UTC"], b"")
