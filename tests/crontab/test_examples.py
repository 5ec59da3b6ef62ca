"""The crontabs that people start from load without a warning and do what they say."""

import os
import subprocess
import tarfile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from scheduler.crontab import parser
from scheduler.day_rules import Calendar
from scheduler.entry import Catchup, Entry

EXAMPLES = Path(__file__).parent.parent.parent / "crontabs"
DAY = 86_400


def entries(name: str) -> dict[str, Entry]:
    path = EXAMPLES / f"{name}.crontab"
    read = parser.parse(path.read_bytes(), file=str(path), zone=ZoneInfo("UTC"))
    assert read.problems == ()
    return {entry.job: entry for entry in read.entries}


def run(entry: Entry, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the entry's command as the daemon does: by the shell, at home."""
    return subprocess.run(
        ["/bin/sh", "-c", entry.command],
        cwd=home,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), **dict(entry.environment)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def aged(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    then = path.stat().st_mtime - days * DAY
    os.utime(path, (then, then))
    return path


BREAK = 'meridian notify "Take a break" "You are sitting for too long"'
OPTIONS = "--unless $UNLESS --postpone 5m --replace break"


def test_a_break_is_never_late_and_disturbs_nobody_who_is_away() -> None:
    found = entries("break")
    assert {entry.command for entry in found.values()} == {
        f"{BREAK} {OPTIONS}",
        f'meridian notify "Take a longer rest" "Two hours are over: walk for ten minutes" {OPTIONS}',
    }
    for entry in found.values():
        assert dict(entry.environment)["UNLESS"] == "idle:5m,locked,presenting"
        assert entry.settings.retry.retries == 0
        assert entry.settings.catchup is Catchup.NONE
        # Two waits of five minutes, and what it takes to show it twice.
        assert entry.settings.timeout == 900 > 2 * 300 + 2 * 10


def test_a_rest_comes_in_place_of_a_break() -> None:
    # When exactly is for tests/daemon/test_breaks.py to say.
    found = entries("break")
    assert found["rest"].command.startswith('meridian notify "Take a longer rest"')
    assert [found[job].schedule_text for job in ("break", "break-on-the-hour", "rest")] == [
        "20,40 9-17 * * 1-5",
        "0 10,12,14,16 * * 1-5",
        "0 11,13,15,17 * * 1-5",
    ]


def test_the_break_s_line_for_holidays_is_a_good_line_too() -> None:
    text = (EXAMPLES / "break.crontab").read_text()
    switched = text.replace("#CRON_EXCEPT=", "CRON_EXCEPT=")
    assert switched != text
    asked: list[str] = []

    def calendar(source: str) -> Calendar:
        asked.append(source)
        return Calendar(source)

    read = parser.parse(switched.encode(), file="breaks", zone=ZoneInfo("UTC"), calendars=calendar)
    assert (read.problems, len(read.entries), {*asked}) == ((), 3, {"holidays:DE-BY"})


def test_the_break_s_line_for_a_mac_is_a_good_line_too() -> None:
    text = (EXAMPLES / "break.crontab").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("#*/20"))
    read = parser.parse(line[1:].encode(), file="mac", zone=ZoneInfo("UTC"))
    assert read.problems == ()
    assert read.entries[0].command == (
        'osascript -e \'display notification "You are sitting for too long"'
        ' with title "Take a break"\''
    )


def test_the_world_starts_work_at_nine_in_five_zones() -> None:
    found = entries("world").values()
    assert sorted(entry.zone.key for entry in found) == [
        "America/New_York",
        "Asia/Kolkata",
        "Asia/Tokyo",
        "Australia/Sydney",
        "Europe/Berlin",
    ]
    assert len({entry.schedule for entry in found}) == 1
    assert {entry.schedule_text for entry in found} == {"0 9 * * 1-5"}


def test_the_backup_is_a_tar_file_named_by_its_day(tmp_path: Path) -> None:
    aged(tmp_path / "Documents" / "letter", 0)
    done = run(entries("housekeeping")["backup"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (backup,) = (tmp_path / "backups").glob("Documents-20[0-9][0-9]-[01][0-9]-[0-3][0-9].tar.gz")
    with tarfile.open(backup) as tar:
        assert "Documents/letter" in tar.getnames()


def test_a_backup_of_nothing_is_a_failure_that_is_not_tried_again(tmp_path: Path) -> None:
    entry = entries("housekeeping")["backup"]
    code = run(entry, tmp_path).returncode
    assert code not in entry.settings.success
    assert code in entry.settings.retry.never_on


@pytest.mark.parametrize(
    ("job", "goes", "stays"),
    [
        ("temp-files", ["tmp/old", "tmp/deep/er/old"], ["tmp/new", "Documents/old"]),
        (
            "old-backups",
            ["backups/Documents-2020-01-01.tar.gz"],
            ["backups/Documents-new.tar.gz", "backups/other-old.tar.gz", "backups/old"],
        ),
    ],
)
def test_a_clean_up_takes_what_is_old_and_nothing_else(
    job: str, goes: list[str], stays: list[str], tmp_path: Path
) -> None:
    for name in (*goes, *stays):
        aged(tmp_path / name, 0 if "new" in name else 40)
    done = run(entries("housekeeping")[job], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not any((tmp_path / name).exists() for name in goes)
    assert all((tmp_path / name).exists() for name in stays)


def test_a_home_without_a_tmp_has_nothing_to_clean(tmp_path: Path) -> None:
    assert run(entries("housekeeping")["temp-files"], tmp_path).returncode == 0


def test_the_settings_of_the_backup_end_with_it() -> None:
    found = entries("housekeeping")
    assert set(found) == {"backup", "old-backups", "temp-files", "timesheet"}
    for job in set(found) - {"backup"}:
        assert found[job].settings.success == {0}
        assert not found[job].settings.retry.never_on
