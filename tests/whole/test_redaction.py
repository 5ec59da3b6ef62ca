"""No secret of a crontab is anywhere that a person or a log reads: each place and each command.

A marker stands in every place that can have a secret; what is printed and logged has none of them.
A command that is added has to stand in a table here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from commands import COMMANDS
from real_daemon import running, until

from scheduler.cli import client
from scheduler.status import Status

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Person

# Each in its place, with {} for its marker; a line for itself, in a crontab that is half wrong.
WITH_SECRETS = {
    "a variable with a secret name": "API_TOKEN={}",
    "the same in quotes": "DB_PASSWORD='{} and more'",
    "a login in a variable": "DATABASE_URL=postgres://me:{}@host/db",
    "an option in a variable": 'RESTIC_ARGS="--password {}"',
    "a variable in front of a command": "CRON_NAME=front 0 9 1 1 * PGPASSWORD={} true",
    "a login in a command": "CRON_NAME=login 0 9 1 1 * true curl -u me:{} host",
    "a header in a command": "CRON_NAME=header 0 9 1 1 * true -H 'X-Api-Key: {}'",
    "a token in a command": "CRON_NAME=option 0 9 1 1 * true --token {}",
    "a ping in a command": "CRON_NAME=curl 0 9 1 1 * true https://hc-ping.com/{}",
    "standard input": "CRON_NAME=stdin 0 9 1 1 * cat >/dev/null%password={}",
    "what a job prints": "TOLD_TOKEN={}",
    "and its line": "CRON_NAME=prints 0 9 1 1 * echo says $TOLD_TOKEN; exit 3",
    "what the daemon has": "CRON_NAME=outer 0 9 1 1 * echo $DAEMON_TOKEN $DAEMON_URL; exit 3",
    "a ping": "CRON_PING=http://127.0.0.1:9/{} 0 9 1 1 * true",
    "a ping with a query": "CRON_NAME=query CRON_PING=http://127.0.0.1:9/?key={} 0 9 1 1 * true",
    "an alert's address": "CRON_NAME=alert CRON_ALERT=json://127.0.0.1:9/{} 0 9 1 1 * exit 3",
    "a secret and once more": "CRON_NAME=twice 0 9 1 1 * true mysql -p{}; echo {}",
    "the same in a line that is refused": "0 99 * * * mysql -p{}; echo {}",
    "an alert's command, once more": "CRON_NAME=again CRON_ALERT='| true mysql -p{}; echo {}; false' 0 9 1 1 * exit 3",
    "an alert's command": "CRON_NAME=told CRON_ALERT='| true --token {}' 0 9 1 1 * exit 3",
    "a setting that is none": "CRON_PINGS=https://host/{}",
    "a ping that is none": "CRON_PING=hxxp://host/{} 0 9 1 1 * true",
    "a ping without its scheme": "CRON_PING=hc-ping.com/{} 0 9 1 1 * true",
    "an alert that is none": "CRON_ALERT=slack:/{} 0 9 1 1 * true",
    "a quote that is not closed": 'OPEN_TOKEN="{}',
    "text behind a quote": 'BEHIND_TOKEN="x" {}',
    "a shell's assignment": "export SHELL_TOKEN={}",
    "a line that is refused": "0 99 * * * x --token {}",
    "a line with too few fields": "0 9 * * x --token={}",
    "a login in a line that is refused": "0 99 * * * curl https://me:{}@host",
}
MARKERS = {
    place: f"marker{number:02}xyz"
    for number, (place, line) in enumerate(WITH_SECRETS.items())
    if "{}" in line
}
OF_THE_DAEMON = "markerofdaemon"
DAEMON_URL = "db://me:markerofurl@host/"
# Where a marker may stand: what is asked for exactly as it is.
WHOLE = {
    ("list", "--json"): re.compile(r'"(command|stdin)": "[^"]*"'),
    ("logs", "prints"): re.compile(r".*"),  # the job's own file, which is its user's alone
}
LINES = [line.replace("{}", MARKERS.get(place, "")) for place, line in WITH_SECRETS.items()]
TEXT = "\n".join(("CRON_RETRIES=0", *LINES, ""))

CRONTAB = "FILE"  # in a command's words
TELLING = [
    ("check", CRONTAB),
    ("check", "--json", CRONTAB),
    ("list", CRONTAB),
    ("list", "--json", CRONTAB),
    ("next", CRONTAB),
    ("next", "--json", CRONTAB),
    ("explain", "0 9 * * * PGPASSWORD=markerexplain psql"),
    ("explain", "0 99 * * * PGPASSWORD=markerexplain psql"),
    ("simulate", CRONTAB, "--from", "2027-01-01", "--until", "2027-01-02"),
    ("simulate", CRONTAB, "--from", "2027-01-01", "--until", "2027-01-02", "--json"),
    ("audit", CRONTAB, "--year", "2027"),
    ("audit", CRONTAB, "--year", "2027", "--json"),
    ("install", CRONTAB),
    ("env", "front", CRONTAB),
    ("env", "front", "--json", CRONTAB),
    ("env", "front", "--diff", CRONTAB),
    ("env", "front", "--diff", "--json", CRONTAB),
    ("exec", "front", CRONTAB),
    ("exec", "no-such-job", CRONTAB),
    ("doctor", CRONTAB),
    ("doctor", "--json", CRONTAB),
    ("status",),
    ("status", "--json"),
    ("status", "--check"),
    ("history",),
    ("history", "--json"),
    ("history", "1"),
    ("history", "1", "--json"),
    ("logs", "prints"),
    ("alerts",),
    ("alerts", "--json"),
    ("why", "prints"),
    ("why", "prints", "--json"),
    ("why", "front", "9:00", CRONTAB),
    ("trigger", "no-such-job"),
    ("trigger", "front", "--json"),
    ("retry", "prints"),
    ("kill", "prints"),
    ("pause", "front", "--json"),
    ("resume", "front", "--json"),
    ("reload",),
    ("reload", "--json"),
]
# Commands that tell nothing of a crontab, and why.
SILENT = {
    "run": "its log is looked at",
    "edit": "it tells what `install` does, and the editor shows the file itself",
    "remove": "it takes a file away",
    "notify": "it shows what it is given",
    "adopt": "it reads the machine's own tables alone, and shows commands as `list` does",
    "crontab": "it gives users their own tables as they are",
    "service": "it shows units and paths",
}


def commands_told() -> set[str]:
    return {words[0] for words in TELLING}


def test_every_command_is_in_a_table() -> None:
    """One that prints something of a crontab is to be looked at here."""
    assert set(COMMANDS) == commands_told() | SILENT.keys()


def markers_in(text: str) -> set[str]:
    return set(re.findall(r"marker\w+", text))


@pytest.mark.e2e
@pytest.mark.parametrize("style", ["human", "json", "systemd"])
def test_no_secret_of_a_crontab_is_told_by_any_command_or_in_the_log(
    person: Person, tmp_path: Path, style: str
) -> None:
    crontab, log = person.file(TEXT), tmp_path / "log"
    ping = ("--ping", f"http://127.0.0.1:9/{OF_THE_DAEMON}")  # where nobody takes it
    words = ("run", crontab, "--echo-output", "--grace", "0", "--log-format", style, *ping)
    command = (sys.executable, "-m", "scheduler", *words)
    environ = {**os.environ, "DAEMON_TOKEN": OF_THE_DAEMON, "DAEMON_URL": DAEMON_URL}
    with log.open("wb") as stream:
        daemon = subprocess.Popen(command, stderr=stream, env=environ)
    try:
        until((person.home / "run" / "control.sock").exists, 60)
        for job in ("prints", "front", "stdin", "alert", "told", "again", "outer", "query"):
            assert person.types("trigger", job).exit_code == 0, log.read_text()
        ends = re.compile("failed|FAILED")
        until(lambda: len(ends.findall(log.read_text())) >= 3, 20)
        raw = json.dumps(client.ask(Status(("front",)), None))
        told: dict[tuple[str, ...], str] = {("the socket",): raw}
        for each in TELLING:
            typed = [crontab if word == CRONTAB else word for word in each]
            result = person.types(*typed)
            told[each] = f"{result.stdout}\n{result.stderr}"
        assert daemon.poll() is None, log.read_text()
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(30)
    finally:
        daemon.kill()
        daemon.wait()
    told["the log",] = log.read_text()
    for name, whole in WHOLE.items():
        key = next(each for each in told if each[: len(name)] == name)
        assert markers_in(told[key]), "what is asked for whole is whole"
        told[key] = whole.sub("", told[key])
    found = {each: markers_in(text) for each, text in told.items()}
    assert {each: names for each, names in found.items() if names} == {}
    assert "says" in told["the log",], "what it wrote is echoed, without its secret"


@pytest.mark.e2e
def test_no_secret_is_in_what_an_alert_hears_or_in_the_journal(
    person: Person, tmp_path: Path
) -> None:
    """The alert is sent by a process without a crontab; what is printed are a job's variables."""
    heard = tmp_path / "heard"
    many = "".join(f"S{number}_PASSWORD=marker{number:02}+/==\n" for number in range(40))
    text = (
        f"CRON_RETRIES=0\nTOLD_TOKEN=markertold\n{many}"
        f"CRON_ALERT='| cat > {heard}.new; env | grep ^MERIDIAN_ >> {heard}.new; mv {heard}.new {heard}'\n"
        "CRON_ALERT_TEXT='{job} {command} {output}'\n"
        "CRON_NAME=prints 0 9 1 1 * env | grep PASSWORD | cut -d= -f2-; "
        "echo $DAEMON_URL; echo says $TOLD_TOKEN --token markercommand; exit 3\n"
    )
    outer = {"DAEMON_PASSWORD": OF_THE_DAEMON, "DAEMON_URL": DAEMON_URL}
    words = (person.file(text), "--log-format", "json")
    with running(*words, log=tmp_path / "log", **outer) as daemon:
        until(lambda: daemon.said("crontabs"))
        person.types("trigger", "prints")
        until(heard.exists, 60)
    assert markers_in(heard.read_text()) == set()
    assert "says ***" in heard.read_text()
    assert heard.read_text().count("***\\n") + heard.read_text().count("***\n") >= 41
    journal = b"".join(path.read_bytes() for path in person.state.glob("journal.db*"))
    assert re.findall(rb"markertold|markercommand", journal) == []


def test_each_place_is_read_as_one() -> None:
    """A marker that stands nowhere could not be found."""
    assert all(TEXT.count(marker) in {1, 2} for marker in MARKERS.values())
