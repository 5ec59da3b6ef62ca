"""Mail by the real daemon, its sender's process and a real SMTP server, as cron's users know it."""

from __future__ import annotations

import email
import email.policy
import signal
from typing import TYPE_CHECKING

import pytest
import smtp_server
from real_daemon import by_rename, meridian, running, until

if TYPE_CHECKING:
    from pathlib import Path

    from smtp_server import Inbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

CRONTAB = r"""
MAILTO=amy@example.org, $USER@example.org, /dev/null
MAILFROM=cron@example.org
CRON_RETRY_DELAY=1s
API_KEY=hunter22-x
CRON_NAME=third                  0 0 1 1 *  echo "attempt $CRON_ATTEMPT"; test $CRON_ATTEMPT -ge 3
CRON_NAME=bad CRON_RETRIES=0     0 0 1 1 *  printf '\033[31mno\033[0m key \%s\n' $API_KEY; exit 3
CRON_NAME=only-failures          0 0 1 1 *  -n echo fine
CRON_NAME=silent                 0 0 1 1 *  true
MAILTO=""
CRON_NAME=nobody CRON_RETRIES=0  0 0 1 1 *  echo unheard; exit 1
"""


def mails(inbox: Inbox) -> dict[str, email.message.EmailMessage]:
    """What has come, by the job that it is about."""
    found = [
        email.message_from_bytes(taken.data, policy=email.policy.default) for taken in inbox.taken
    ]
    assert len({message["X-Meridian-Job"] for message in found}) == len(found), "one a run"
    return {str(message["X-Meridian-Job"]): message for message in found}


def account(config: Path, port: int) -> None:
    by_rename(config / "mail.toml", f'host = "localhost"\nport = {port}\ntls = "none"\n')


def test_a_run_is_one_mail_after_its_last_attempt(tmp_path: Path) -> None:
    config, file, state = tmp_path / "config", tmp_path / "crontab", tmp_path / "state"
    config.mkdir(mode=0o700)
    by_rename(file, CRONTAB)
    with smtp_server.serving() as (inbox, port):
        account(config, port)
        words = (str(file), "--state", str(state), "--log-format", "json")
        with running(*words, log=tmp_path / "log", CONFIGURATION_DIRECTORY=str(config)) as daemon:
            until(lambda: daemon.said("crontabs"))
            for job in ("third", "bad", "only-failures", "silent", "nobody"):
                meridian("trigger", job, "--state", str(state))
            until(lambda: len(daemon.said("failed")) + len(daemon.said("succeeded")) == 5)
            until(lambda: len(inbox.taken) >= 2)
            assert daemon.ends(signal.SIGTERM) == 0
        found = mails(inbox)
    assert set(found) == {"third", "bad"}
    assert all(len(taken.recipients) == 2 for taken in inbox.taken)
    assert {taken.sender for taken in inbox.taken} == {"cron@example.org"}
    third, bad = found["third"], found["bad"]
    assert str(third["Subject"]).startswith("Cron <")
    assert 'echo "attempt $CRON_ATTEMPT"' in str(third["Subject"])
    text = third.get_content().replace("\r\n", "\n")
    assert text.startswith("third succeeded after 3 attempts.")
    assert text.index("attempt 3\n") < text.index("attempt 2\n") < text.index("attempt 1\n")
    assert "failed (exit 3): " in str(bad["Subject"])
    assert "\r\nno key ***\r\n" in bad.get_content()
    assert "hunter22" not in str(bad)


def test_a_server_that_hangs_holds_up_nothing_and_a_killed_daemons_mail_is_marked(
    tmp_path: Path,
) -> None:
    config, file, state = tmp_path / "config", tmp_path / "crontab", tmp_path / "state"
    config.mkdir(mode=0o700)
    by_rename(file, CRONTAB)
    words = (str(file), "--state", str(state), "--log-format", "json")
    heard: list[str] = []
    with smtp_server.failing({"DATA": smtp_server.HANG}, heard) as port:
        account(config, port)
        with running(*words, log=tmp_path / "log", CONFIGURATION_DIRECTORY=str(config)) as daemon:
            until(lambda: daemon.said("crontabs"))
            meridian("trigger", "bad", "--state", str(state))
            until(lambda: "DATA" in heard)
            meridian("trigger", "silent", "--state", str(state))
            until(lambda: daemon.said("succeeded", job="silent"), 5)
            daemon.popen.kill()
            daemon.popen.wait()
    with smtp_server.serving() as (inbox, port):
        account(config, port)
        with running(*words, log=tmp_path / "log2", CONFIGURATION_DIRECTORY=str(config)) as daemon:
            until(lambda: daemon.said("alert"))
            assert daemon.ends(signal.SIGTERM) == 0
        (mail,) = mails(inbox).values()
    assert "Perhaps a repeat: nobody could tell whether this was sent before." in mail.get_content()
