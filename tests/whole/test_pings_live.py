"""The real daemon, its senders and a real HTTP server: pings arrive, and nothing waits for them."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from real_daemon import Process, meridian, running, until
from web_server import WebServer, hang, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

SOON = 30.0
GOOD = "CRON_NAME=good @reboot echo all copied\n"
BAD = "CRON_NAME=bad CRON_RETRIES=0 @reboot echo disk full; exit 3\n"


@contextmanager
def daemon(tmp_path: Path, text: str = "", **environment: str) -> Iterator[Process]:
    """A daemon of this crontab; without one that of the crontab that is there."""
    table = tmp_path / "crontab"
    if text:
        table.write_text(text)
        table.chmod(0o600)
    words = (
        str(table),
        "--trust-owner",
        "--log-format",
        "json",
        "--state",
        str(tmp_path / "state"),
    )
    with running(*words, log=tmp_path / "log", **environment) as process:
        yield process


def notices(tmp_path: Path) -> list[tuple[str, str]]:
    """The state and the error of each notice in the journal."""
    with (
        suppress(sqlite3.OperationalError),  # it is not there yet
        closing(sqlite3.connect(f"file:{tmp_path}/state/journal.db?mode=ro", uri=True)) as journal,
    ):
        return journal.execute("SELECT state, error FROM notice ORDER BY number").fetchall()
    return []


def test_a_run_pings_its_start_and_its_end_with_code_and_tail(
    tmp_path: Path, server: WebServer
) -> None:
    with daemon(tmp_path, f"CRON_PING={server.url}/s3cretKEY\n{GOOD}{BAD}") as process:
        until(lambda: len(server.asked) == 4, SOON)
        until(lambda: [state for state, _ in notices(tmp_path)] == ["sent"] * 4, SOON)
        assert process.ends(signal.SIGTERM) == 0
    asked = sorted((each.path, each.body) for each in server.asked)
    assert asked == [
        ("/s3cretKEY", b"all copied"),
        ("/s3cretKEY/3", b"exit 3: no attempts left\ndisk full"),
        ("/s3cretKEY/start", b""),
        ("/s3cretKEY/start", b""),
    ]
    assert len({each.query["rid"] for each in server.asked}) == 2


def test_no_word_of_an_address_is_shown(tmp_path: Path, server: WebServer) -> None:
    server.always = status(404)  # so it takes no starts either, and no error comes of these
    settings = f"CRON_PING={server.url}/s3cretKEY\n"
    own = {"MERIDIAN_PING": f"{server.url}/s3cretOWN"}
    with daemon(tmp_path, f"{settings}{BAD}CRON_NAME=env @reboot env\n", **own) as process:
        until(
            lambda: (
                sorted(state for state, _ in notices(tmp_path)) == ["failed"] * 2 + ["sent"] * 2
            ),
            SOON,
        )
        state = ("--state", str(tmp_path / "state"))
        shown = meridian("status", *state) + meridian("status", "--json", *state)
        shown += meridian("history", *state) + meridian("history", "--json", "bad", *state)
        shown += meridian("list", str(tmp_path / "crontab"))
        shown += meridian("list", "--json", str(tmp_path / "crontab"))
        shown += meridian("alerts", *state) + meridian("alerts", "--json", *state)
        shown += meridian("logs", "env", *state)  # jobs do not see what the daemon pings
        until(lambda: process.said("ping"), SOON)  # its own ping is refused, too
        process.ends(signal.SIGTERM)
    log = (tmp_path / "log").read_bytes()
    assert b"127.0.0.1 answered 404 Not Found" in log
    assert b"s3cret" not in shown + log
    assert b"ping:http://127.0.0.1" in shown


def test_a_server_that_hangs_keeps_no_job_and_no_stop_waiting(
    tmp_path: Path, server: WebServer
) -> None:
    server.always = hang
    with daemon(
        tmp_path, f"CRON_PING={server.url}/KEY\n{GOOD}", MERIDIAN_PING=server.url
    ) as process:
        until(lambda: len(server.asked) >= 2, SOON)
        begin = time.monotonic()
        assert b"good" in meridian("history", "--state", str(tmp_path / "state"))
        assert process.said("succeeded", job="good")
        assert process.ends(signal.SIGTERM) == 0
        assert time.monotonic() - begin < 15  # of which it has five for who is being pinged
    assert {state for state, _ in notices(tmp_path)} <= {"waiting", "sending"}  # the next's


def test_a_server_that_redirects_for_ever_is_given_up(tmp_path: Path, server: WebServer) -> None:
    server.always = status(302, Location="/again")
    with daemon(tmp_path, f"CRON_PING={server.url}/KEY\n{GOOD}") as process:
        until(lambda: [state for state, _ in notices(tmp_path)] == ["failed"] * 2, SOON)
        until(lambda: process.said("alert", level="error"), SOON)
        assert process.ends(signal.SIGTERM) == 0
    assert {error for _, error in notices(tmp_path)} == {
        "127.0.0.1 redirects for ever, or nowhere (302)"
    }


def test_after_a_kill_the_end_is_pinged_again_and_the_start_is_not(
    tmp_path: Path, server: WebServer
) -> None:
    server.always = hang
    with daemon(tmp_path, f"CRON_PING={server.url}/KEY\n{GOOD}") as process:
        until(lambda: [state for state, _ in notices(tmp_path)].count("sending") >= 1, SOON)
        until(lambda: len(notices(tmp_path)) == 2, SOON)
        process.popen.kill()
        process.popen.wait()
    server.always = None
    before = len(server.asked)
    with daemon(tmp_path) as process:
        until(lambda: {state for state, _ in notices(tmp_path)} <= {"sent", "failed"}, SOON)
        assert process.ends(signal.SIGTERM) == 0
    paths = [asked.path for asked in server.asked[before:]]
    assert "/KEY" in paths
    assert paths.count("/KEY/start") <= 1


def test_the_daemon_pings_for_itself_until_it_is_dead(tmp_path: Path, server: WebServer) -> None:
    with daemon(tmp_path, GOOD, MERIDIAN_PING=f"{server.url}/OWN") as process:
        until(lambda: server.paths() == ["/OWN"], SOON)
        assert process.ends(signal.SIGTERM) == 0
    assert [(asked.method, asked.path, asked.body) for asked in server.asked] == [
        ("POST", "/OWN", b"")
    ]
    assert notices(tmp_path) == []


def test_an_alert_reaches_a_command_and_every_address_of_a_file(
    tmp_path: Path, server: WebServer
) -> None:
    config = tmp_path / "config" / "meridian"
    (config / "alerts").mkdir(parents=True)
    webhook = server.url.replace("http", "json", 1)
    (config / "alerts" / "team").write_text(f"{webhook}/s3cretKEY\n| cat > {tmp_path}/team\n")
    (config / "alerts" / "team").chmod(0o600)
    alert = f'CRON_ALERT=@team, | printf %s "$MERIDIAN_OUTCOME" > {tmp_path}/told\n'
    folders = {"XDG_CONFIG_HOME": str(config.parent), "CONFIGURATION_DIRECTORY": str(config)}
    with daemon(tmp_path, alert + BAD, **folders) as process:
        until(lambda: [state for state, _ in notices(tmp_path)] == ["sent"] * 2, SOON)
        assert process.ends(signal.SIGTERM) == 0
        assert len(process.said("alert")) == 2
    assert (tmp_path / "told").read_text() == "exit 3"
    assert '"job": "bad"' in (tmp_path / "team").read_text()
    assert b"disk full" in server.asked[0].body
    assert b"s3cret" not in (tmp_path / "log").read_bytes()
