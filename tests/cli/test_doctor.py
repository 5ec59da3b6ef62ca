"""`doctor`: what it looks at, what it says of it and what to do; it waits for nothing for ever."""

from __future__ import annotations

import os
import signal
import stat
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import smtp_server
from commands import rows
from real_daemon import running, until
from standin import STATUS, StandIn

from scheduler.alerts import sendmail
from scheduler.cli import alert_targets
from scheduler.cli.doctor import examination, job_lines, mail_way, shown_notification
from scheduler.cli.doctor.diagnosis import Diagnosis, DiagnosisLevel, fine
from scheduler.cli.doctor.examination import Check
from scheduler.entry import Entry, Every
from scheduler.errors import MeridianError
from scheduler.journal.journal import Journal
from scheduler.journal.rows import NoticeState
from scheduler.notice import Facts, Kind, Notice, Recipient
from scheduler.schedule.zone_data import UTC_ZONE
from scheduler.system import accounts, calendars, crontab_files, crontab_place
from scheduler.system.accounts import Account
from scheduler.system.crontab_files import CrontabText

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Person
    from typer.testing import Result

OK, WARNING, PROBLEM = DiagnosisLevel.OK, DiagnosisLevel.WARNING, DiagnosisLevel.PROBLEM
EVERY = {
    *("daemon", "other daemons", "other crons", "crontabs", "programs", "machine's zone"),
    *("zone data", "clock", "state folder", "disk", "journal", "ulimits"),
}


@pytest.fixture
def daemon(person: Person) -> Iterator[StandIn]:
    """Someone answers where the person's daemon would."""
    stand_in = StandIn()
    stand_in.status = STATUS | {"files": [], "pid": os.getpid(), "reads": None}
    with stand_in.listening(person.home / "run" / "control.sock"):
        yield stand_in


def of(result: Result, check: str) -> list[dict[str, Any]]:
    return [row for row in rows(result) if row["check"] == check]


def entry(text: str) -> Entry:
    return Entry("a", Every(1), "@every 1m", UTC_ZONE, text)


# --- the whole command ---------------------------------------------------------------------------


def test_without_a_daemon_or_a_crontab_both_are_problems_with_their_remedies(
    person: Person,
) -> None:
    found = person.types("doctor", "--json")
    assert found.exit_code == 1
    said = {row["check"]: row for row in rows(found)}
    assert said["daemon"]["level"] == "problem"
    assert "no daemon runs with the state folder" in said["daemon"]["message"]
    assert said["daemon"]["remedy"].startswith("meridian run starts one")
    assert said["crontabs"]["message"].endswith("there is no crontab here yet")
    assert said["crontabs"]["remedy"] == "meridian edit begins one, or name a file"
    assert said["state folder"]["message"].endswith("not there yet; the first daemon makes it")
    assert not person.state.exists(), "it changes nothing"


@pytest.mark.usefixtures("daemon")
def test_with_a_daemon_and_a_good_crontab_there_is_no_problem(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.cli.doctor.daemons.running", lambda _: [])
    person.has(person.line("0 9 * * *", "true"))
    found = person.types("doctor", "--json")
    assert {row["check"] for row in rows(found)} >= EVERY
    assert [row for row in rows(found) if row["level"] == "problem"] == []
    assert found.exit_code == 0
    assert "answers" in of(found, "daemon")[0]["message"]
    assert (
        of(found, "programs")[0]["message"] == "those of 1 job are on the PATH that each will have"
    )


def test_a_person_reads_the_remedy_below_and_a_sum_at_the_end(person: Person) -> None:
    lines = person.types("doctor").stdout.splitlines()
    assert lines[0].startswith("problem  daemon          no daemon runs with")
    assert lines[1].startswith(" " * 25 + "meridian run starts one")
    assert lines[-1].startswith("2 problems, ")


@pytest.mark.parametrize(
    ("told", "level", "words"),
    [
        ({}, "ok", "version 0.1.0"),
        ({"version": "0.0.9"}, "warning", "version 0.0.9"),
        ({"stopping": True}, "warning", "it is stopping"),
        ({"journal": "disk is full"}, "problem", "its journal refuses: disk is full"),
    ],
)
def test_what_the_daemon_says_of_itself(
    person: Person, daemon: StandIn, told: dict[str, Any], level: str, words: str
) -> None:
    daemon.status = daemon.status | told
    (row,) = of(person.types("doctor", "--json", person.file("0 9 * * * true\n")), "daemon")
    assert row["level"] == level
    assert words in row["message"]
    assert (row["remedy"] is None) == (level == "ok")


def test_lines_that_are_refused_or_kept_are_told(person: Person, daemon: StandIn) -> None:
    daemon.status = daemon.status | {"kept": 1}
    found = person.types("doctor", "--json", person.file("0 99 * * * true\n0 9 * * * true\n"))
    one, two = of(found, "crontabs")
    assert one["level"] == "problem"
    assert "1 entry, 1 problem (1 error), the first: " in one["message"]
    assert "out-of-range" in one["message"]
    assert (two["level"], two["message"][:7]) == ("warning", "1 entry")


def test_a_journal_that_can_t_be_read_and_a_damaged_one_are_told(person: Person) -> None:
    person.state.mkdir(mode=0o700)
    (person.state / "journal.db").write_bytes(b"this is no database at all" * 100)
    (person.state / "journal.db.damaged-1").touch()
    one, two = of(person.types("doctor", "--json"), "journal")
    assert one["level"] == "problem"
    assert (two["level"], two["message"][:33]) == ("warning", "a damaged journal was moved aside")


def test_a_good_journal_is_told_with_its_size(person: Person) -> None:
    person.state.mkdir(mode=0o700)
    with closing(Journal.open(person.state / "journal.db")):
        pass
    (row,) = of(person.types("doctor", "--json"), "journal")
    assert row["level"] == "ok"


@pytest.mark.parametrize(
    ("hours", "level", "words"),
    [
        ((), "ok", "none was given up in the last day"),
        ((25,), "ok", "none was given up in the last day"),
        ((1, 23, 25), "warning", "2 alerts reached nobody in the last day"),
    ],
)
def test_alerts_that_were_given_up_are_counted(
    person: Person, hours: tuple[int, ...], level: str, words: str
) -> None:
    person.state.mkdir(mode=0o700)
    now = datetime.now(UTC)
    with closing(Journal.open(person.state / "journal.db")) as journal:
        for hour in hours:
            at = now - timedelta(hours=hour)
            journal.outbox.add(Notice("|tell", Kind.FAILURE, at, Facts("a", "", "", 1, "UTC")))
            (told,) = journal.outbox.take(Recipient("|tell"))
            failed = journal.outbox.of_delivery(told.number)
            journal.outbox.end(failed, NoticeState.FAILED, at, "refused")
    (row,) = of(person.types("doctor", "--json"), "alerts")
    assert (row["level"], row["message"]) == (level, words)
    assert ("meridian alerts --failed" in str(row["remedy"])) == (level == "warning")


def test_a_state_folder_that_can_t_be_written_is_a_problem(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    person.state.mkdir(mode=0o500)
    may = os.access  # which root is told everything of
    monkeypatch.setattr("os.access", lambda path, mode: not mode & os.W_OK and may(path, mode))
    (row,) = of(person.types("doctor", "--json"), "state folder")
    assert row["level"] == "problem"


def test_no_secret_is_told(person: Person) -> None:
    text = "API_KEY=marker1\nCRON_PING=hxxp://x/marker2\n0 99 * * * x --token marker3\n"
    text += "0 9 * * * no-such-program --token marker4\n"
    for words in (("doctor",), ("doctor", "--json")):
        shown = person.types(*words, person.file(text))
        assert "marker" not in shown.output


# --- its limits ----------------------------------------------------------------------------------


def test_what_hangs_is_told_and_the_next_check_is_made() -> None:
    for_ever = threading.Event()

    def hangs() -> Iterator[Diagnosis]:
        for_ever.wait()
        yield fine("never")

    checks = (
        Check("disk", hangs, 0.05),
        Check("clock", lambda: [fine("right")]),
    )
    one, two = examination.findings(checks)
    for_ever.set()
    assert (one.level, one.message) == (PROBLEM, "disk: no answer within 0.05 s")
    assert one.remedy
    assert (two.check, two.message) == ("clock", "right")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(5, "Input/output error"), "it can't be looked at: [Errno 5] Input/output error"),
        (MeridianError("no"), "it can't be looked at: no"),
        (ZeroDivisionError("x"), "this check went wrong: ZeroDivisionError: x"),
    ],
)
def test_what_fails_is_told_and_the_next_check_is_made(error: Exception, said: str) -> None:
    def fails() -> Iterator[Diagnosis]:
        raise error

    one, two = examination.findings(
        (
            Check("disk", fails),
            Check("clock", lambda: [fine("right")]),
        )
    )
    assert (one.level, one.message) == (PROBLEM, said)
    assert two.level is OK


def test_a_crontab_that_is_never_read_ends_it(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "CHECK_LIMIT", 0.2)
    for_ever = threading.Event()
    monkeypatch.setattr("scheduler.cli.doctor.facts.gather", lambda *_, **__: for_ever.wait())
    found = person.types("doctor")
    for_ever.set()
    assert found.exit_code == 1
    assert "the crontabs and the state: no answer within" in found.stderr


# --- programs ------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("bin/there", "bin/plain"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        path.chmod(0o755 if path.name == "there" else 0o644)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "level", "words"),
    [
        ("there x", None, ""),
        ("missing x", PROBLEM, "a: missing is not on its PATH ("),
        ("plain x", PROBLEM, "a: plain is not on its PATH ("),
        ("cd /srv && missing", WARNING, "missing is not on its PATH"),  # it may ask before
        ("command -v missing && missing", WARNING, "missing is not on its PATH"),
        ("missing | there", PROBLEM, "missing is not on its PATH"),
        ("bin/there", None, ""),  # from its home, where it starts
        ("~/bin/there", None, ""),
        ("~/bin/missing", PROBLEM, "bin/missing: it is not there"),
        ("bin/plain", PROBLEM, "bin/plain: it may not be run: chmod +x"),
        ("/no/such/program -x", PROBLEM, "/no/such/program: it is not there"),
        ("cd /srv && ./missing", None, ""),  # there it may be
        ("nice -n 10 missing", PROBLEM, "missing is not on its PATH"),
        ("X=1 missing", PROBLEM, "missing is not on its PATH"),
        ("'missing' x", PROBLEM, "missing is not on its PATH"),
        ("$TOOL x", None, ""),  # only a shell can tell
        ("$HOME/missing x", None, ""),
        ("for f in *; do cat $f; done", None, ""),
        ("echo hello", None, ""),  # the shell's own
        (": nothing", None, ""),
        ("", None, ""),
    ],
)
def test_a_program_is_looked_for_where_its_job_would(
    home: Path, text: str, level: DiagnosisLevel | None, words: str
) -> None:
    variables = {"HOME": str(home), "SHELL": "/bin/sh", "PATH": f"{home}/bin:/usr/bin:/bin"}
    found = list(job_lines.judged(entry(text), variables))
    assert [each.level for each in found] == ([] if level is None else [level])
    assert all(words in each.message and each.remedy for each in found)


def test_where_it_is_here_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{home}/bin")
    (found,) = job_lines.judged(entry("there"), {"HOME": "/", "SHELL": "/bin/sh", "PATH": "/bin"})
    assert f"here it is {home}/bin/there" in found.remedy


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SHELL": "/no/shell"}, "there is no shell /no/shell, so it can't start"),
        ({"HOME": "/no/home"}, "its HOME /no/home is no folder, so it can't start"),
    ],
)
def test_without_its_shell_or_home_it_is_told_once(variables: dict[str, str], words: str) -> None:
    own = {"HOME": "/", "SHELL": "/bin/sh", "PATH": "/bin"} | variables
    (found,) = job_lines.judged(entry("missing"), own)
    assert (found.level, words in found.message) == (PROBLEM, True)


# --- the libraries that calendars need ---------------------------------------------------------------

CALENDARS = """\
CRON_EXCEPT=holidays:DE 0 9 * * * true
CRON_ONLY=bank.ics      0 9 * * * true
CRON_EXCEPT=off.txt     0 9 * * * true
"""


@pytest.mark.parametrize(
    ("answer", "level", "said"),
    [
        ('{"dates": ["2100-01-01"]}', "ok", "2 jobs can go by calendars: their libraries are there"),
        ('{"missing": "holidays"}', "problem", "holidays:DE needs the library holidays; so its entry is refused; 1 more like it"),
    ],
)  # fmt: skip
def test_a_library_that_calendars_need_is_looked_for(
    person: Person, monkeypatch: pytest.MonkeyPatch, answer: str, level: str, said: str
) -> None:
    monkeypatch.setattr(calendars, "_CALENDARS_READ", {})
    monkeypatch.setattr(calendars, "_CALENDAR_PROGRAM", person.home / "program.py")
    (person.home / "program.py").write_text(f"print({answer!r})")
    for name in ("bank.ics", "off.txt"):
        (person.home / name).write_text("2100-01-01\n")
        (person.home / name).chmod(0o600)
    table = person.home / "crontab"
    table.write_text(CALENDARS)
    table.chmod(0o600)
    (found,) = of(person.types("doctor", "--json", str(table)), "extras")
    assert (found["level"], said in found["message"]) == (level, True), found
    checked = person.types("check", str(table)).output
    if level == "problem":
        assert f"{table}:1:13: missing-extra" in checked
        assert f"{table}:2:11: missing-extra" in checked
        assert found["message"].startswith(f"{table}:1: ")
        assert "make install EXTRAS=calendar" in found["remedy"]
        assert f"hint: {found['remedy']}" in checked


# --- the notification ----------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person sits there."""
    monkeypatch.setattr("scheduler.cli.commands.doctor._is_somebody_there", lambda: True)


@pytest.mark.parametrize(
    ("way", "answer", "level"),
    [
        ("dbus", "y\n", "ok"),
        ("dbus", "n\n", "problem"),
        ("dbus", "\n", "problem"),  # who has not looked has not seen it
        ("terminal", "y\n", "warning"),
    ],
)
@pytest.mark.usefixtures("terminal")
def test_a_notification_is_shown_and_the_person_asked(
    person: Person, monkeypatch: pytest.MonkeyPatch, way: str, answer: str, level: str
) -> None:
    monkeypatch.setattr("scheduler.system.desktop.notify", lambda *_, **__: way)
    found = person.types("doctor", "--notify", stdin=answer)
    assert "Did you see the notification? [y/N]" in found.output
    (line,) = [each for each in found.stdout.splitlines() if "notification    " in each]
    assert f"{level:<9}notification" in line


def test_without_a_terminal_nobody_is_asked(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.system.desktop.notify", lambda *_, **__: "dbus")
    (row,) = of(person.types("doctor", "--notify", "--json"), "notification")
    assert (row["level"], row["message"]) == ("ok", "dbus took it")


def test_where_nobody_takes_it_that_is_a_problem(tmp_path: Path) -> None:
    nowhere = {
        "XDG_RUNTIME_DIR": str(tmp_path),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/x",
    }
    found = shown_notification.shown_by(nowhere)
    assert found.level in (PROBLEM, WARNING)  # who runs the tests at a terminal gets it there
    assert found.remedy


# --- mail ------------------------------------------------------------------------------------------


@pytest.fixture
def no_mailer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No sendmail is on this machine."""
    monkeypatch.setattr(sendmail, "MAILERS", ())
    monkeypatch.setenv("PATH", f"{tmp_path}/nowhere")


@pytest.mark.parametrize(
    ("text", "level", "words"),
    [
        ("0 9 * * * :\n", "ok", "no job of yours needs it"),
        ("MAILTO=\n0 9 * * * :\n", "ok", "no job of yours needs it"),
        (
            "MAILTO=me\nCRON_NAME=a 0 9 * * * :\n",
            "problem",
            "a needs mail: there is no way to send mail: ",
        ),
        ("MAILTO=me\n0 9 * * * :\n0 8 * * * :\n", "problem", ", …) need mail: there is no way "),
        (
            "CRON_ALERT=mail\nCRON_NAME=a 0 9 * * * :\n",
            "problem",
            "a needs mail: there is no way to send mail: ",
        ),
        (
            "CRON_ALERT=mail:a@b\nCRON_NAME=a 0 9 * * * :\n",
            "problem",
            "a needs mail: there is no way to send mail: ",
        ),
        ("CRON_ALERT=desktop\nCRON_NAME=a 0 9 * * * :\n", "ok", "no job of yours needs it"),
    ],
)
@pytest.mark.usefixtures("no_mailer")
def test_that_there_is_no_way_for_mail_is_a_problem_where_a_job_needs_one(
    person: Person, text: str, level: str, words: str
) -> None:
    (row,) = of(person.types("doctor", "--json", person.file(text)), "mail")
    assert (row["level"], words in row["message"]) == (level, True)
    assert (row["remedy"] is None) == (level == "ok")


def job(name: str, user: str, mail_to: str | None = None, *, is_crons: bool = True) -> Entry:
    mail = () if mail_to is None else (("MAILTO", mail_to),)
    return replace(entry(":"), job=name, user=user, environment=mail, is_crons=is_crons)


@pytest.mark.parametrize(
    ("jobs", "level", "words", "why"),
    [
        ([job("a", "bob")], WARNING, "what a writes is mailed to no user", "cron mails the user"),
        ([job("a", "root")], WARNING, "what a writes is mailed to no user", "root, too"),
        ([job("a", "bob"), job("b", "eve")], WARNING, "what 2 jobs (a, …) writes", "said once"),
        ([job("a", "bob", "")], None, "", "nobody wants one"),
        ([job("a", "bob", is_crons=False)], None, "", "nor without a MAILTO elsewhere"),
        ([job("a", "bob", "x@y.org")], PROBLEM, "a needs mail of bob", "it was asked for"),
        ([job("a", "eve", "x@y.org")], None, "", "eve has an account for it"),
        ([job("a", "gone", "x@y.org")], None, "", "whose runs fail, which is told"),
        ([job("a", "root", "x@y.org")], None, "", "as is root's own mail"),
    ],
)
def test_users_mail_that_has_no_way_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jobs: list[Entry],
    level: DiagnosisLevel | None,
    words: str,
    why: str,
) -> None:
    folder = tmp_path / "eve" / ".config" / "meridian"
    folder.mkdir(parents=True)
    (folder / "mail.toml").touch()
    users = {name: Account(name, 60001, 60001, (), str(tmp_path / name)) for name in ("bob", "eve")}
    monkeypatch.setattr(accounts, "find", users.get)
    monkeypatch.setattr(accounts, "uid_of", {"root": os.geteuid(), "bob": 60001, "eve": 60001}.get)
    found = list(mail_way.of_users(jobs))
    assert [each.level for each in found] == ([] if level is None else [level]), why
    assert all(words in each.message and each.remedy for each in found), why


@pytest.mark.usefixtures("no_mailer")
def test_a_system_daemon_s_users_without_a_mailer_are_told_of(
    person: Person, daemon: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = person.home / "crontabs"
    spool.mkdir()
    monkeypatch.setattr(crontab_place, "SPOOL", spool)
    monkeypatch.setattr(crontab_files, "read_users", lambda *_: CrontabText(b"0 9 * * * :\n"))
    why = "cron (pid 7) runs them"
    reads = STATUS["reads"] | {"system": True, "without_cron": why}
    files = [STATUS["files"][0] | {"file": str(spool / "games")}]
    daemon.status = daemon.status | {"files": files, "reads": reads}
    found = person.types("doctor", "--json")
    row = of(found, "mail")[-1]
    assert (row["level"], "games." in row["message"]) == ("warning", True)
    row = of(found, "other crons")[0]
    assert row["message"] == f"the daemon leaves cron's tables alone: {why}"
    assert "meridian adopt" in row["remedy"]


@pytest.mark.usefixtures("no_mailer")
def test_a_mail_is_sent_where_it_was_asked_for(person: Person) -> None:
    refused = person.types("doctor", "--json", "--mail", "me@example.org")
    assert [row["level"] for row in of(refused, "mail sent")] == ["problem"]
    assert refused.exit_code == 1
    with smtp_server.serving() as (inbox, port):
        file = person.home / "config" / "mail.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f'host = "localhost"\nport = {port}\ntls = "none"\n')
        file.chmod(0o600)
        found = person.types("doctor", "--json", "--mail", "me@example.org")
    (row,) = of(found, "mail sent")
    assert (row["level"], row["message"][:27]) == ("ok", "taken for me@example.org: l")
    assert [mail.recipients for mail in inbox.taken] == [["me@example.org"]]
    assert "localhost port" in of(found, "mail")[0]["message"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('host = "smtp.example.org:465"\n', 1, "'smtp.example.org:465' is no name of a host"),
        ('host = "smtp.example.org"\nca_file = "/nope"\n', 2, "/nope is no file"),
    ],
)
@pytest.mark.parametrize(("crontab", "level"), [("", "warning"), ("MAILTO=me\n", "problem")])
def test_a_mail_toml_that_is_wrong_is_told_with_its_line(
    person: Person, text: str, line: int, said: str, crontab: str, level: str
) -> None:
    file = person.home / "config" / "mail.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o600)
    job = person.file(f"{crontab}CRON_NAME=a @daily true\n")
    (row,) = of(person.types("doctor", "--json", job), "mail")
    assert row["level"] == level
    assert f"{file}:{line}: {said}" in row["message"]
    assert row["remedy"]


@pytest.mark.parametrize("address", ["", " ", "a b@example.org", "me@"])
def test_a_mail_to_no_address_is_wrong_usage(person: Person, address: str) -> None:
    result = person.types("doctor", "--mail", address)
    assert result.exit_code == 2
    assert "--mail" in result.stderr
    assert "address" in result.stderr


# --- a real daemon -------------------------------------------------------------------------------


@pytest.mark.e2e
def test_a_real_daemon_is_found_well_and_a_second_one_on_its_crontab_is_not(
    person: Person, tmp_path: Path
) -> None:
    file = person.file("0 9 1 1 * true\n")
    state = tmp_path / "one"
    with running(file, "--state", str(state), "--log-format", "json", log=tmp_path / "log") as one:
        until(lambda: one.said("crontabs"))
        alone = person.types("doctor", "--json", "--state", str(state))
        two = running(
            file, "--state", str(tmp_path / "two"), "--log-format", "json", log=tmp_path / "log2"
        )
        with two as other:
            until(lambda: other.said("crontabs"))
            both = person.types("doctor", "--json", "--state", str(state))
        one.ends(signal.SIGTERM)
    assert f"pid {one.popen.pid}, version" in of(alone, "daemon")[0]["message"]
    assert of(alone, "daemon")[0]["level"] == "ok"
    twice = [
        row for row in of(both, "other daemons") if f"(pid {other.popen.pid})" in row["message"]
    ]
    assert [row["level"] for row in twice] == ["problem"]
    assert f"reads {file} too" in twice[0]["message"]
    assert twice[0]["remedy"] == f"end one of them: kill {other.popen.pid}"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


# --- addresses of alerts -------------------------------------------------------------------------


def test_addresses_that_reach_nobody_are_problems_and_no_key_is_shown(person: Person) -> None:
    folder = person.home / "config" / "alerts"
    folder.mkdir(parents=True)
    for name, mode in (("team", 0o600), ("open", 0o644)):
        (folder / name).write_text("json://h/s3cret\ndesktop\nnosuch://s3cret\n| tell\n")
        (folder / name).chmod(mode)
    alerts = "@team, @open, @none, slack://s3cret, desktop, json://h/s3cret"
    result = person.types(
        "doctor", "--json", person.file(f"CRON_ALERT={alerts}\nCRON_NAME=x @daily x\n")
    )
    assert {row["level"] for row in of(result, "addresses")} == {"problem"}
    assert [" ".join(row["message"].split()[:4]) for row in of(result, "addresses")] == [
        "x: nosuch://… of @team",
        "x: @open reaches nobody:",
        "x: @none reaches nobody:",
        "x: slack://… is no",
    ]
    assert "s3cret" not in result.stdout


def test_addresses_that_are_fine_are_said_to_be(person: Person) -> None:
    result = person.types(
        "doctor", "--json", person.file("CRON_ALERT=json://h/x\nCRON_NAME=x @daily x\n")
    )
    [row] = of(result, "addresses")
    assert (row["level"], row["message"][:16]) == ("ok", "nothing is wrong")
    silent = person.types(
        "doctor", "--json", person.file("CRON_ALERT=desktop\nCRON_NAME=x @daily x\n")
    )
    assert of(silent, "addresses") == []


def test_without_apprise_no_address_is_called_good_and_the_remedy_is_the_installs(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_targets, "has_apprise", lambda: False)
    alerts = "CRON_ALERT=json://h/x, @mails\nCRON_NAME=x @daily x\n"
    person.has_addresses("mails", "mail:me@example.org\n")
    result = person.types("doctor", "--json", person.file(alerts))
    assert of(result, "addresses") == []
    (extra,) = of(result, "extras")
    assert extra["level"] == "problem"
    assert extra["remedy"].startswith("make install EXTRAS=alerts, or pip install ")
    only_mails = person.file("CRON_ALERT=@mails\nCRON_NAME=x @daily x\n")
    assert of(person.types("doctor", "--json", only_mails), "extras") == []
