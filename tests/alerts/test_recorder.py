"""What happens to runs, and the notices that the journal has of it, in the same commit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from alerting import FAILS, WELL, alerting, change, notices, told
from fakes import Act
from world import World, line

from scheduler import own_secrets, redact
from scheduler.alerts import reasons
from scheduler.alerts.own_user import OwnUser
from scheduler.alerts.recorder import AlertRecorder
from scheduler.entry import Catchup, Settings
from scheduler.notice import Kind
from scheduler.run import Exited, NotStarted, Reason

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.journal.journal import Journal


def test_a_final_failure_is_told_to_each_target_with_each_attempt(tmp_path: Path) -> None:
    lines = line("backup", "0 12 * * *", retries=1, retry_delay="10s", retry_jitter=0, alert="desktop,mail:ops@example.org")  # fmt: skip
    world = alerting(lines, tmp_path, acts={"backup": [FAILS, Act(lasts=3, outcome=Exited(7))]})
    world.runs_until("12:01")
    assert told(world) == [
        "12:00:13 desktop failure backup",
        "12:00:13 mail:ops@example.org failure backup",
    ]
    facts = notices(world)[0].facts
    assert [(each.number, each.outcome) for each in facts.attempts] == [(1, "exit 1"), (2, "exit 7")]  # fmt: skip
    assert (facts.run, facts.outcome, facts.reason) == (1, "exit 7", "no attempts left")
    assert (facts.count, facts.file, facts.line, facts.zone) == (1, "crontab", 1, "UTC")


def test_a_failure_is_told_once_and_its_recovery_once(tmp_path: Path) -> None:
    lines = line("job", "* * * * *", retries=0, alert="desktop")
    world = alerting(lines, tmp_path, acts={"job": [FAILS]}, now="12:00:01")
    change(world, "12:02:30", WELL)
    world.runs_until("12:05")
    assert told(world) == ["12:00:01 desktop failure job", "12:03:00 desktop recovery job"]
    assert notices(world)[1].facts.count == 3


def test_what_is_known_of_a_job_outlives_its_daemon(tmp_path: Path) -> None:
    lines = line("job", "* * * * *", retries=0, alert="desktop")
    world = alerting(lines, tmp_path, acts={"job": [FAILS]}, now="12:00:01")
    world.runs_until("12:01:30")
    world.runs_until("12:02:30")
    change(world, "12:02:40", WELL)
    world.runs_until("12:03:30")
    assert told(world) == ["12:00:01 desktop failure job", "12:03:00 desktop recovery job"]


SETTINGS = [
    # settings, what is told of one failed run, reason
    ({}, [], "nobody asked"),
    ({"alert": "none"}, [], "nobody, by name"),
    ({"alert": "desktop,after,2"}, [], "the first of two"),
    ({"alert": "mail"}, ["mail"], "the user, without a MAILTO"),
    ({"alert": "|tell"}, ["|tell"], "a command"),
]


@pytest.mark.parametrize(("settings", "targets", "reason"), SETTINGS, ids=[row[2] for row in SETTINGS])  # fmt: skip
def test_who_is_told(
    tmp_path: Path, settings: dict[str, str], targets: list[str], reason: str
) -> None:
    world = alerting(line("job", "0 12 * * *", retries=0, **settings), tmp_path, acts={"job": [FAILS]})  # fmt: skip
    world.runs_until("12:00:30")
    assert [each.target for each in notices(world)] == targets, reason


MAILTO = [
    # MAILTO and settings, whether it fails, whether it wrote something, what is told, reason
    ("MAILTO=ops\n", {}, False, False, [], "nothing to tell"),
    ("MAILTO=ops\n", {}, False, True, ["mail:ops output"], "its output"),
    ("MAILTO=ops\n", {}, True, False, ["mail:ops output"], "a failure without output, too"),
    ('MAILTO=""\n', {}, True, True, [], "silenced"),
    ("", {}, True, True, [], "not asked for"),
    ("MAILTO=ops\n", {"alert": "desktop"}, True, True, ["desktop failure"], "failures go by CRON_ALERT alone"),
    ("MAILTO=ops\n", {"alert": "none"}, True, True, [], "also those that nobody hears of"),
    ("MAILTO=ops\n", {"alert": "desktop"}, False, True, ["mail:ops output"], "what succeeds is mailed as ever"),
    ("MAILTO=ops,dev\n", {"alert": "mail"}, True, True, ["mail:ops,dev failure"], "mail is MAILTO"),
]  # fmt: skip


@pytest.mark.parametrize(("top", "settings", "fails", "writes", "said", "reason"), MAILTO, ids=[row[5] for row in MAILTO])  # fmt: skip
def test_mail_as_in_cron(
    tmp_path: Path,
    top: str,
    settings: dict[str, str],
    fails: bool,
    writes: bool,
    said: list[str],
    reason: str,
) -> None:
    text = top + line("job", "0 12 * * *", retries=0, **settings)
    world = alerting(text, tmp_path, acts={"job": [FAILS if fails else WELL]})
    output = tmp_path / "outputs" / "job" / "1.1.log"
    output.parent.mkdir(parents=True)
    output.write_text("something" if writes else "")
    world.runs_until("12:00:30")
    assert [f"{each.target} {each.kind}" for each in notices(world)] == said, reason


CRONS_MAIL = [
    # the table, the machine has a mailer, MAILTO, what is told, reason
    ("@bob", True, "", ["bob: mail output"], "as cron mails it"),
    ("@root", True, "", ["None: mail output"], "the daemon's own user, in the user column"),
    ("@bob", False, "", [], "cron leaves it out, too, where there is no mailer"),
    ("@bob", True, 'MAILTO=""\n', [], "silenced"),
    ("@bob", False, "MAILTO=ops\n", ["bob: mail:ops output"], "it was asked for"),
]


@pytest.mark.parametrize(("table", "has_mailer", "top", "said", "reason"), CRONS_MAIL, ids=[row[4] for row in CRONS_MAIL])  # fmt: skip
def test_in_crons_tables_mail_goes_to_the_user_as_the_user(
    tmp_path: Path, table: str, has_mailer: bool, top: str, said: list[str], reason: str
) -> None:
    world = alerting("", tmp_path, has_mailer=has_mailer)
    world.library.is_crons = True
    world.library.files[table] = top + line("job", "0 12 * * *", retries=0)
    (tmp_path / "outputs" / "job").mkdir(parents=True)
    (tmp_path / "outputs" / "job" / "1.1.log").write_text("something")
    world.runs_until("12:00:30")
    assert [f"{each.user}: {each.target} {each.kind}" for each in notices(world)] == said, reason


def test_who_is_given_the_job_of_another_gets_no_output_of_theirs(tmp_path: Path) -> None:
    """Root gave the entry to bob between two attempts of alice's run."""
    world = alerting("", tmp_path, acts={"job": [FAILS]})
    lines = line("job", "0 12 * * *", retries=1, retry_delay="90s", alert="desktop")
    world.library.files["@alice"] = lines

    def hand_over() -> None:
        del world.library.files["@alice"]
        world.library.files["@bob"] = lines

    world.at("12:00:30", hand_over)
    world.runs_until("12:03")
    (told,) = notices(world)
    assert (told.user, len(told.facts.attempts)) == ("bob", 2)
    assert [each.output for each in told.facts.attempts] == ["", ""]


def test_what_is_missed_against_the_entrys_wish_is_told_with_its_number(tmp_path: Path) -> None:
    lines = line("often", "*/5 * * * *", alert="desktop,missed") + line("wanted", "*/5 * * * *", catchup="none", alert="desktop,missed")  # fmt: skip
    world = alerting(lines, tmp_path)
    world.sleep_at("12:01", "14:01")
    world.runs_until("14:02")
    assert told(world) == ["14:01:00 desktop missed often"]
    assert (notices(world)[0].facts.count, notices(world)[0].facts.reason) == (24, "missed")


def test_a_run_that_takes_unusually_long_is_told_of(tmp_path: Path) -> None:
    lines = line("job", "* * * * *", alert="desktop,slow")
    world = alerting(lines, tmp_path, acts={"job": [Act(lasts=2)]}, now="12:00:01")
    change(world, "12:05:30", Act(lasts=30))
    world.runs_until("12:08")
    assert told(world) == ["12:06:30 desktop slow job"]
    assert (notices(world)[0].facts.usual, notices(world)[0].facts.took) == (2.0, 30.0)


def test_no_secret_of_a_job_is_in_a_notice(tmp_path: Path) -> None:
    text = "API_TOKEN=s3cr3t-value\n" + "CRON_NAME=job CRON_RETRIES=0 CRON_ALERT=desktop 0 12 * * * call --token=s3cr3t-value\n"  # fmt: skip
    acts = {"job": [Act(outcome=NotStarted("no s3cr3t-value here"))]}
    world = alerting(text, tmp_path, acts=acts)
    world.runs_until("12:00:30")
    assert "s3cr3t" not in str(notices(world))
    assert notices(world)[0].facts.outcome == "not started: no *** here"


def test_no_secret_that_a_job_inherits_is_in_a_notice(tmp_path: Path) -> None:
    """The daemon's own variables are its job's, whatever the crontab sets."""
    inherited = own_secrets.fingerprints_of(["s3cr3t-value"])

    def recorder(journal: Journal) -> AlertRecorder:
        return AlertRecorder(journal, tmp_path, OwnUser("root", inherited))

    text = "CRON_NAME=job CRON_RETRIES=0 CRON_ALERT=desktop 0 12 * * * call s3cr3t-value\n"
    acts = {"job": [Act(outcome=NotStarted("no s3cr3t-value here"))]}
    world = World(text, acts=acts, recorder=recorder)
    world.runs_until("12:00:30")
    assert "s3cr3t" not in str(notices(world))
    (attempt,) = notices(world)[0].facts.attempts
    assert redact.text(None, "it says s3cr3t-value", attempt.secrets) == "it says ***"


# --- reasons -------------------------------------------------------------------------------------


def test_every_reason_is_either_missed_or_wanted() -> None:
    assert set(Reason) == reasons.MISSED | reasons.WANTED
    assert not reasons.MISSED & reasons.WANTED


def test_what_a_setting_asks_for_by_name_is_no_missed_run() -> None:
    world = World(line("job", "0 12 * * *"))
    (table,) = world.library.load().crontabs
    (entry,) = table.entries
    none = replace(entry, settings=Settings(catchup=Catchup.NONE))
    assert reasons.is_missed(entry, Reason.MISSED)
    assert not reasons.is_missed(none, Reason.MISSED)
    assert reasons.is_missed(none, Reason.TOO_LATE)


ON_PURPOSE: list[tuple[dict[str, str], str, list[str], str]] = [
    # settings, what happens at 12:00:20, what is told, reason
    ({}, "stop", [], "the daemon was told to stop"),
    ({"overlap": "replace"}, "", [], "a newer run took its place"),
]


@pytest.mark.parametrize(("settings", "happens", "said", "reason"), ON_PURPOSE, ids=[row[3] for row in ON_PURPOSE])  # fmt: skip
def test_what_was_ended_on_purpose_is_nobodys_alarm(
    tmp_path: Path, settings: dict[str, str], happens: str, said: list[str], reason: str
) -> None:
    lines = line("job", "* * * * *", retries=0, alert="desktop", **settings)
    world = alerting(lines, tmp_path, acts={"job": [Act(lasts=90), Act(lasts=5)]}, grace=0.0)
    world.runs_until("12:00:20" if happens else "12:01:30")
    assert [each for each in told(world) if str(Kind.FAILURE) in each] == said, reason
