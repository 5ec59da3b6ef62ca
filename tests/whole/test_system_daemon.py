"""`meridian run --system` as it is: every kind of place, jobs of two users, attacks on its tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from made_machine import MadeMachine
from system_daemon import SystemDaemon, system_daemon
from users import new_folder, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(300)]

JACK, JILL = 60124, 60125
WHO = 'echo "$(id -un):$(id -Gn):$HOME:$LOGNAME:$(pwd):$ONLY_ROOTS"'
IS = {
    "jack": "jack:jack water:/tmp:jack:/tmp:",
    "jill": "jill:jill:/:jill:/:",
}
# A job of each user in each kind of place; root's in anacron's, which has no other.
PLACED = {
    "own-jack": "jack",
    "own-jill": "jill",
    "crontab-jack": "jack",
    "crontab-jill": "jill",
    "cron.d-jack": "jack",
    "cron.d-jill": "jill",
    "jack.spool": "jack",
    "jill.spool": "jill",
}
ATTACKS = {
    "etc/cron.d/groups": "its group can write it",
    "etc/cron.d/link": "it is a link that leads nowhere",
    "var/spool/cron/crontabs/root": f"it belongs to user {JILL}, not to root",
    "var/spool/cron/crontabs/nobody": "its mode is 0666",
    "var/spool/cron/crontabs/gone": "there is no user gone",
}


def line(name: str, user: str = "", command: str = WHO) -> str:
    return f"CRON_NAME={name} * * * * * {user} {command}\n"


def system_lines(where: str) -> str:
    return "".join(line(f"{where}-{user}", user) for user in ("jack", "jill"))


def prepared(root: Path) -> MadeMachine:
    machine = MadeMachine(root)
    real, etc = Path("/etc"), root / "etc"
    users = f"jack:x:{JACK}:{JACK}::/tmp:/bin/sh\njill:x:{JILL}:{JILL}::/:/bin/sh\n"
    groups = f"jack:x:{JACK}:\njill:x:{JILL}:\nwater:x:60200:jack\n"
    (etc / "passwd").write_text((real / "passwd").read_text() + users)
    (etc / "group").write_text((real / "group").read_text() + groups)
    machine.writes("etc/meridian/crontabs/own", system_lines("own"))
    machine.writes("etc/crontab", system_lines("crontab"))
    machine.writes("etc/cron.d/php", system_lines("cron.d"))
    anacron = "START_HOURS_RANGE=0-24\nRANDOM_DELAY=0\n1 0 daily id -un\n"
    machine.writes("etc/anacrontab", anacron)
    machine.user_writes("jack", line("spool"), owner=JACK)
    machine.user_writes("jill", line("spool") + "0 0 1 1 * x\n" * 2000, owner=JILL)
    return machine


def attacked(machine: MadeMachine) -> None:
    evil = line("evil", "root")
    machine.writes("etc/cron.d/groups", evil).chmod(0o664)
    (machine.root / "etc/cron.d/link").symlink_to("/nowhere")
    machine.writes("etc/cron.d/evil.sh", evil)
    machine.user_writes("root", line("evil"), owner=JILL)
    machine.user_writes("nobody", line("evil")).chmod(0o666)
    machine.user_writes("gone", line("evil"))


@pytest.fixture(scope="module")
def daemon() -> Iterator[SystemDaemon]:
    """A daemon that has run whatever is due at once."""
    with new_folder(0) as root:
        machine = prepared(root)
        attacked(machine)
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("ONLY_ROOTS", "secret")
            with system_daemon(machine) as running:
                until(lambda: running.ended().keys() >= PLACED.keys() | {"daily"}, 90)
                yield running


@pytest.mark.parametrize(("job", "user"), PLACED.items())
def test_a_job_of_each_place_runs_as_its_user(daemon: SystemDaemon, job: str, user: str) -> None:
    """With that user's groups and no other, in its home, and with nothing of root's variables."""
    assert IS[user] in daemon.printed(job).splitlines()


def test_anacrons_jobs_are_roots_and_stamped(daemon: SystemDaemon) -> None:
    assert "root" in daemon.printed("daily").splitlines()
    stamp = f"/proc/{daemon.process.pid}/root/var/spool/anacron/daily"
    until(lambda: len(Path(stamp).read_text().strip()) == 8)


def test_root_sees_whose_jobs_they_are(daemon: SystemDaemon) -> None:
    users = {row["job"]: row["user"] for row in daemon.rows("list")}
    assert users.items() >= PLACED.items()
    assert "USER" in daemon.does("list").splitlines()[0]


@pytest.mark.parametrize(("file", "reason"), ATTACKS.items())
def test_a_table_that_another_may_have_written_is_refused_with_its_reason(
    daemon: SystemDaemon, file: str, reason: str
) -> None:
    said = [each for each in daemon.said("problem") if str(each.get("file")).endswith(file)]
    assert any(reason in each["text"] for each in said), said


def test_check_says_the_same_of_all_tables(daemon: SystemDaemon) -> None:
    rows = [row for row in daemon.rows("check", "--system") if row["severity"] == "error"]
    said = {row["file"]: row["message"] for row in rows}
    for file, reason in ATTACKS.items():
        assert reason in said[f"/{file}"]
    assert daemon.rows("check") == daemon.rows("check", "--system")


def test_none_of_them_runs(daemon: SystemDaemon) -> None:
    assert not [job for job in daemon.ended() if "evil" in job]


def test_one_users_long_table_is_cut_and_the_others_are_punctual(daemon: SystemDaemon) -> None:
    (file,) = (row for row in daemon.rows("status")[0]["files"] if row["file"].endswith("/jill"))
    assert (file["entries"], file["refused"]) == (1000, 1001)
    assert daemon.ended().keys() >= PLACED.keys()
