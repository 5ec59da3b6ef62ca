"""What `doctor` says of a machine: other crons and daemons, its zones, clock, disk and limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scheduler.cli.doctor import (
    clock_set,
    daemon_limits,
    daemons,
    other_crons,
    state_disk,
    zones,
)
from scheduler.cli.doctor.daemons import OtherDaemon
from scheduler.cli.doctor.diagnosis import DiagnosisLevel
from scheduler.entry import Entry, Every
from scheduler.schedule.zone_data import PACKAGE, UTC_ZONE, ZoneDatabase
from scheduler.system import clock_sync, disk
from scheduler.system.clock_sync import ClockSync
from scheduler.system.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

OK, WARNING, PROBLEM = DiagnosisLevel.OK, DiagnosisLevel.WARNING, DiagnosisLevel.PROBLEM
NOW = datetime(2027, 3, 28, tzinfo=UTC)
MB = 1_000_000


# --- other crons and daemons ---------------------------------------------------------------------


def entry(job: str, schedule: str, text: str) -> Entry:
    return Entry(job, Every(1), schedule, UTC_ZONE, text)


ENTRIES = [entry(f"job{n}", "0 9 * * *", f"x {n}") for n in range(5)]


@pytest.mark.parametrize(
    ("theirs", "level", "words"),
    [
        ({}, OK, "cron (pid 7) runs, and has none of these jobs"),
        ({"crontab -l": "0 9 * * * y\n"}, OK, "has none of these jobs"),
        ({"crontab -l": "0 10 * * * x 1\n"}, OK, "at another time it is another job"),
        ({"crontab -l": "A=1\n0  9 * *\t*  x 1\n"}, PROBLEM, "from crontab -l too: job1"),
        ({"/etc/cron.d/a": "0 9 * * * root x 1\n"}, PROBLEM, "from /etc/cron.d/a too: job1"),
        (
            {"crontab -l": "".join(f"0 9 * * * x {n}\n" for n in range(5))},
            PROBLEM,
            "too: job0, job1, job2 and 2 more",
        ),
    ],
)
def test_a_job_that_another_cron_has_too_runs_twice(
    theirs: dict[str, str], level: DiagnosisLevel, words: str
) -> None:
    tables = {
        where: other_crons.keys(text.encode(), is_system=where != "crontab -l")
        for where, text in theirs.items()
    }
    (found,) = other_crons.judged("cron (pid 7)", ENTRIES, tables)
    assert found.level is level
    assert words in found.message or level is OK
    assert bool(found.remedy) == (level is not OK)
    assert ("meridian adopt" in found.remedy) == (level is not OK)


def test_several_crons_are_told_as_several() -> None:
    (found,) = other_crons.judged("cron (pid 7), anacron (pid 8)", ENTRIES, {})
    assert found.message == "cron (pid 7), anacron (pid 8) run, and have none of these jobs"


def process(proc: Path, pid: int, comm: str, *words: str, cwd: str = "/") -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    (folder / "comm").write_text(f"{comm}\n")
    (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    (folder / "cwd").symlink_to(cwd)


def test_crons_are_found_by_the_names_of_their_programs(tmp_path: Path) -> None:
    process(tmp_path, 9, "crond", "/usr/sbin/crond", "-n")
    process(tmp_path, 10, "cronometer", "cronometer")
    process(tmp_path, 11, "sh", "sh", "-c", "cron")
    process(tmp_path, 5, "cron", "/usr/sbin/cron", "-f")
    assert list(other_crons.running(tmp_path)) == [(5, "cron"), (9, "crond")]


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ("/usr/bin/python3 /usr/bin/meridian run", []),
        ("/usr/lib/meridian/bin/python3 -I /usr/bin/meridian run", []),  # Debian's package
        ("python3 -m scheduler run a.crontab /b --state /s", ["a.crontab", "/b", "/s"]),
        ("/opt/meridian run --log-format=json a", ["a"]),
        ("meridian status", None),
        ("vi meridian run", None),
        ("vi -u meridian run", None),
        ("python3 -X utf8 -m scheduler run", []),  # a file to be edited
        ("python3 -m other run", None),
        ("sh -c meridian", None),
        ("", None),
    ],
)
def test_a_daemon_is_known_by_its_command_line(words: str, files: list[str] | None) -> None:
    assert daemons.given_to_run(words.split()) == files


def test_the_crontabs_of_a_daemon_are_found_from_its_folder(tmp_path: Path) -> None:
    process(tmp_path / "proc", 9, "meridian", "meridian", "run", "a", cwd=str(tmp_path))
    (found,) = daemons.running(tmp_path / "proc")
    assert found.files == {str(tmp_path / "a")}


@pytest.mark.parametrize(
    ("seen", "level"),
    [
        ([], OK),
        ([OtherDaemon(9, 1000, frozenset({"/a"}))], PROBLEM),
        ([OtherDaemon(9, 0, frozenset({"/a", "/c"}))], PROBLEM),  # whoever's it is
        ([OtherDaemon(9, 1000, frozenset({"/c"}))], OK),
        ([OtherDaemon(9, 1000, frozenset())], WARNING),  # its user's own, which may be ours
        ([OtherDaemon(9, 0, frozenset())], OK),
    ],
)
def test_another_daemon_is_a_problem_if_it_reads_the_same(
    seen: list[OtherDaemon], level: DiagnosisLevel
) -> None:
    files = frozenset({"/a", "/b"})
    (found,) = daemons.judged_others(seen, files, 1000, has_own=True)
    assert found.level is level


def test_one_daemon_alone_that_does_not_answer_is_told_but_no_second_one() -> None:
    (found,) = daemons.judged_others(
        [OtherDaemon(9, 1000, frozenset())], frozenset(), 1000, has_own=False
    )
    assert (found.level, "pid 9" in found.message) == (OK, True)


# --- zones and the clock -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "where", "level", "words"),
    [
        ("2027a", "/usr/share/zoneinfo", OK, "2 zones from /usr/share/zoneinfo, version 2027a"),
        ("2026c", "/usr/share/zoneinfo", OK, "version 2026c"),
        ("2025b", "/usr/share/zoneinfo", WARNING, "zones that changed since have old rules"),
        ("2025.2", PACKAGE, OK, "the tzdata package, version 2025.2"),  # not the zones' own
        ("2024a", PACKAGE, WARNING, "the tzdata package, version 2024a"),
        ("", "/usr/share/zoneinfo", OK, "which names no version"),
    ],
)
def test_zone_data_are_told_with_their_source_and_age(
    version: str, where: str, level: DiagnosisLevel, words: str
) -> None:
    database = ZoneDatabase(where, version, ("Asia/Tokyo", "UTC"))
    (found,) = zones.judged_data([database], NOW)
    assert (found.level, words in found.message) == (level, True)


def test_the_way_to_newer_data_is_that_of_their_source() -> None:
    (one,) = zones.judged_data([ZoneDatabase(PACKAGE, "2020a", ("UTC",))], NOW)
    (two,) = zones.judged_data([ZoneDatabase("/usr/share/zoneinfo", "2020a", ("UTC",))], NOW)
    assert one.remedy == "pip install --upgrade tzdata"
    assert two.remedy == "update the package tzdata"


def test_how_the_machine_s_zone_was_found_is_told(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    by_tz = zones.judged_machines({"TZ": "Asia/Tokyo"}, link, "Asia/Tokyo")
    assert (by_tz.level, by_tz.message) == (OK, "Asia/Tokyo, by TZ=Asia/Tokyo")
    assert "UTC, since there is no" in zones.judged_machines({}, link, None).message
    link.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    by_link = zones.judged_machines({}, link, None).message
    assert by_link.startswith("Europe/Berlin, by ")
    assert by_link.endswith("a link to /usr/share/zoneinfo/Europe/Berlin")


@pytest.mark.parametrize(
    ("tz", "daemons_", "level", "words"),
    [
        ("Mars/Base", None, WARNING, "TZ=Mars/Base is not the name of a time zone"),
        ("Asia/Tokyo", "Europe/Berlin", WARNING, "but the running daemon has Europe/Berlin"),
    ],
)
def test_a_zone_that_is_not_what_it_seems_has_a_remedy(
    tmp_path: Path, tz: str, daemons_: str | None, level: DiagnosisLevel, words: str
) -> None:
    found = zones.judged_machines({"TZ": tz}, tmp_path / "x", daemons_)
    assert (found.level, words in found.message) == (level, True)
    assert found.remedy


def test_a_damaged_zone_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "localtime").write_bytes(b"TZif2 nothing else")
    found = zones.judged_machines({}, tmp_path / "localtime", None)
    assert (found.level, "damaged" in found.message, bool(found.remedy)) == (PROBLEM, True, True)


@pytest.mark.parametrize(
    ("sync", "level", "words"),
    [
        (ClockSync(is_synchronised=True, most_wrong_s=0.0123), OK, "to 0.012 s at the worst"),
        (ClockSync(is_synchronised=False, most_wrong_s=16), WARNING, "nothing synchronises it"),
        (None, WARNING, "this system does not tell"),
    ],
)
def test_whether_the_clock_is_kept_right_is_told(
    sync: ClockSync | None, level: DiagnosisLevel, words: str
) -> None:
    found = clock_set.judged(sync)
    assert (found.level, words in found.message) == (level, True)


def test_the_kernel_is_asked() -> None:
    found = clock_sync.read()
    assert found is None or found.most_wrong_s >= 0


# --- the disk and the limits ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "files", "readonly", "kind", "levels"),
    [
        (900 * MB, 50_000, False, "ext4", [OK]),
        (900 * MB, None, False, "btrfs", [OK]),  # it has no fixed number of files
        (199 * MB, 50_000, False, "ext4", [WARNING]),
        (19 * MB, 50_000, False, "ext4", [PROBLEM]),
        (900 * MB, 999, False, "ext4", [WARNING]),
        (900 * MB, 19, False, "ext4", [PROBLEM]),
        (900 * MB, 50_000, True, "ext4", [PROBLEM]),
        (900 * MB, 50_000, False, "nfs4", [PROBLEM, OK]),
        (900 * MB, 50_000, False, "fuse.sshfs", [PROBLEM, OK]),
        (900 * MB, 50_000, False, "tmpfs", [WARNING, OK]),
        (900 * MB, 50_000, False, "overlay", [WARNING, OK]),
        (900 * MB, 50_000, False, "", [OK]),
    ],
)
def test_a_disk_is_judged_by_its_room_and_kind(
    tmp_path: Path,
    free: int,
    files: int | None,
    readonly: bool,
    kind: str,
    levels: list[DiagnosisLevel],
) -> None:
    found = list(state_disk.judged(tmp_path, Disk(free, 1000 * MB, files, readonly, kind)))
    assert [each.level for each in found] == levels
    assert all(bool(each.remedy) == (each.level is not OK) for each in found)


def test_the_kind_is_that_of_the_nearest_mount_and_there_the_last(tmp_path: Path) -> None:
    (tmp_path / "a b" / "c").mkdir(parents=True)
    mounts = tmp_path / "mounts"
    lines = ["/dev/x / ext4 rw 0 0", "t /proc proc rw 0 0", f"n {tmp_path}/a\\040b nfs4 rw 0 0"]
    mounts.write_text("\n".join(lines))
    assert disk.under(tmp_path, mounts).kind == "ext4"
    assert disk.under(tmp_path / "a b" / "c", mounts).kind == "nfs4"
    mounts.write_text("\n".join([*lines, f"o {tmp_path}/a\\040b overlay rw 0 0"]))
    assert disk.under(tmp_path / "a b", mounts).kind == "overlay"
    assert disk.under(tmp_path, tmp_path / "none").kind == ""


@pytest.mark.parametrize(
    ("limits", "levels", "words"),
    [
        ({}, [OK], "unlimited open files"),
        ({"ulimit -n": 4096}, [OK], "4096 open files"),
        ({"ulimit -n": 256}, [WARNING], "256 open files (`ulimit -n`): some 64 jobs at once"),
        ({"ulimit -u": 100}, [WARNING], "100 processes of this user"),
        ({"ulimit -f": 1024}, [WARNING], "the journal too"),
        ({"ulimit -t": 60}, [PROBLEM], "end the daemon after 60 s of CPU time"),
        ({"ulimit -v": 50 * 2**20}, [WARNING], "of memory (`ulimit -v`)"),
        ({"ulimit -v": 900 * 2**20}, [OK], "leave room"),
    ],
)
def test_limits_that_are_scarce_are_told_by_the_shell_s_word(
    limits: dict[str, int], levels: list[DiagnosisLevel], words: str
) -> None:
    found = list(daemon_limits.judged_limits("the daemon's", limits))
    assert [each.level for each in found] == levels
    assert any(words in each.message for each in found)


GROUP = "/user.slice/user-7.slice/user@4242.service/app.slice/meridian.service"


@pytest.mark.parametrize(
    ("group", "pids", "memory", "lingers", "levels"),
    [
        ("/system.slice/meridian.service", "max", "max", False, [OK]),
        ("/system.slice/meridian.service", "100", "max", False, [WARNING]),
        ("/system.slice/meridian.service", "max", "104857600", False, [WARNING]),
        ("/system.slice/meridian.service/daemon", "100", "max", False, [WARNING]),
        (GROUP, "max", "max", False, [WARNING, OK]),
        (GROUP, "max", "max", True, [OK, OK]),
        ("/", "max", "max", False, [OK]),
        ("", "max", "max", False, [OK]),  # no group of version 2
    ],
)
def test_a_unit_is_judged_by_its_limits_and_whether_it_outlives_a_logout(
    tmp_path: Path, group: str, pids: str, memory: str, lingers: bool, levels: list[DiagnosisLevel]
) -> None:
    """What limits a group above it limits it, too."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(f"0::{group}\n" if group else "1:cpu:/x\n")
    above = tmp_path / "groups" / group.lstrip("/").partition("/daemon")[0]
    above.mkdir(parents=True, exist_ok=True)
    (above / "pids.max").write_text(f"{pids}\n")
    (above / "memory.max").write_text(f"{memory}\n")
    if lingers:
        (tmp_path / "linger").mkdir()
        (tmp_path / "linger" / "4242").touch()
    found = list(
        daemon_limits.judged_unit(tmp_path / "7", tmp_path / "groups", tmp_path / "linger")
    )
    assert [each.level for each in found] == levels
    if levels[0] is WARNING and group == GROUP:
        assert found[0].remedy == "loginctl enable-linger 4242"
