"""Who tells of the jobs of a real system daemon: the users that they run as, with no right more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from made_machine import MadeMachine
from system_daemon import SystemDaemon, system_daemon
from users import new_folder, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(300)]

JACK = 60124
NEVER = "0 0 1 1 *"
SECRET = "s3cr3t-of-root"
# A mailer that says as whom it was run, and keeps the mail.
SENDMAIL = """#!/bin/sh
{ echo "as $(id -un):$(id -Gn) with $# words and [$API_TOKEN]"; cat; } > /run/told/mail.$$
"""
TELLS = (
    'exec > /run/told/command; echo "$(id -un):$(id -Gn):[$API_TOKEN]"; cat "$MERIDIAN_OUTPUT";'
    " cat /etc/meridian/mail.toml; true"
)
JACKS = f"""
CRON_NAME=speaks {NEVER} echo hello of jack
CRON_NAME=silent {NEVER} exit 1
CRON_NAME=named CRON_ALERT=@team {NEVER} exit 3
CRON_NAME=reads CRON_EXCEPT=/etc/shadow {NEVER} true
CRON_NAME=links CRON_EXCEPT=link.txt {NEVER} true
MAILTO=""
CRON_NAME=silenced {NEVER} echo nobody hears it
CRON_ALERT=| {TELLS}
CRON_NAME=tells {NEVER} echo disk full; exit 3
"""
HEARD = {"jack.speaks", "jack.tells", "jack.named", "package"}
JOBS = ("speaks", "silent", "tells", "named", "silenced")


class Told:
    """What was told, in a folder that everybody may write into."""

    def __init__(self, daemon: SystemDaemon, folder: Path, home: Path) -> None:
        self.daemon, self.folder, self.home = daemon, folder, home

    def mails(self) -> list[str]:
        return sorted(each.read_text() for each in self.folder.glob("mail.*"))

    def alerts(self) -> dict[str, dict[str, object]]:
        return {str(row["job"]): row for row in self.daemon.rows("alerts")}


def prepared(root: Path) -> MadeMachine:
    machine = MadeMachine(root)
    home = root / "home"
    home.mkdir(mode=0o700)
    (home / "link.txt").symlink_to("/etc/shadow")
    os.chown(home, JACK, JACK)
    users = f"jack:x:{JACK}:{JACK}::{home}:/bin/sh\n"
    groups = f"jack:x:{JACK}:\nwater:x:60200:jack\n"
    for name, more in (("passwd", users), ("group", groups)):
        (root / "etc" / name).write_text(Path("/etc", name).read_text() + more)
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/sbin/sendmail").write_text(SENDMAIL)
    (root / "usr/sbin/sendmail").chmod(0o755)
    (root / "run/told").mkdir()
    (root / "run/told").chmod(0o1777)
    account = root / "etc/meridian/mail.toml"
    account.write_text(f'host = "127.0.0.1"\nport = 1\nuser = "x"\npassword = "{SECRET}"\n')
    account.chmod(0o600)
    (root / "etc/meridian/alerts").mkdir(mode=0o700)
    (root / "etc/meridian/alerts/team").write_text("| touch /run/told/roots-team\n")
    (root / "etc/meridian/alerts/team").chmod(0o600)
    machine.user_writes("jack", JACKS, owner=JACK)
    machine.writes("etc/cron.d/a", f"CRON_NAME=package {NEVER} jack echo hello of a package\n")
    return machine


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """All jobs have run once, and who hears of them has been told."""
    with new_folder(0) as root, pytest.MonkeyPatch.context() as monkeypatch:
        machine = prepared(root)
        monkeypatch.setenv("API_TOKEN", SECRET)
        with system_daemon(machine) as daemon:
            found = Told(daemon, root / "run/told", root / "home")
            for job in (*(f"jack.{name}" for name in JOBS), "package"):
                daemon.does("trigger", job)
            until(lambda: found.alerts().keys() >= HEARD, 60)
            until(lambda: all(row["state"] in ("sent", "failed") for row in found.alerts().values()), 60)  # fmt: skip
            yield found


def test_mail_is_handed_to_the_mailer_by_the_user(told: Told) -> None:
    """Without a MAILTO, as from cron; never by root's account."""
    mails = told.mails()
    assert all(each.startswith("as jack:jack water with 2 words and []\n") for each in mails)
    for subject in ("echo hello of jack", "echo hello of a package"):
        (mail,) = (each for each in mails if f"> {subject}\n" in each)
        assert "\nTo: jack\n" in mail
        assert "Subject: Cron <jack@" in mail
        assert mail.endswith(f"{subject.removeprefix('echo ')}\n")


def test_what_is_silenced_or_says_nothing_is_not_mailed(told: Told) -> None:
    assert len(told.mails()) == 2
    assert told.alerts().keys().isdisjoint({"jack.silent", "jack.silenced"})


def test_a_command_is_the_users_and_gets_their_output(told: Told) -> None:
    said = (told.folder / "command").read_text().splitlines()
    assert said[:2] == ["jack:jack water:[]", "disk full"]
    assert SECRET not in " ".join(said)


def test_a_named_file_is_not_roots(told: Told) -> None:
    row = told.alerts()["jack.named"]
    assert (row["state"], row["user"]) == ("failed", "jack")
    assert f"{told.home}/.config/meridian/alerts/team: there is no such file" in str(row["error"])
    assert not (told.folder / "roots-team").exists()


def test_no_line_of_a_file_that_the_user_may_not_read_is_shown(told: Told) -> None:
    problems = [each for each in told.daemon.said("problem") if "jack" in str(each.get("file"))]
    said = " ".join(each["text"] for each in problems)
    assert said.count("Permission denied") == 2
    assert "root:" not in str(problems)
