"""What a person reads: of one notice, of many, by a template; harmless and never endless."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import values

from scheduler.alerts import wording
from scheduler.alerts.message_origin import Origin
from scheduler.notice import AttemptFacts, Delivery, Facts, Kind, Notice

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ORIGIN = Origin("web1", "ops", lambda attempt: f"the end of {attempt.output}")
ATTEMPTS = (
    AttemptFacts(1, "exit 1", "outputs/backup/7.1.log", NOON, NOON + 2 * SECOND, took=2.0),
    AttemptFacts(
        2, "timed out", "outputs/backup/7.2.log", NOON + 30 * SECOND, NOON + 90 * SECOND, took=60.0
    ),
)
FACTS = Facts(
    "backup", "/usr/bin/backup", "crontab", 12, "Europe/Berlin", 7, NOON, "timed out",
    "no attempts left", ATTEMPTS, 1, 0, NOON,
)  # fmt: skip


def notice(kind: Kind = Kind.FAILURE, facts: Facts = FACTS, **other: str) -> Notice:
    return Notice("mail", kind, NOON + 90 * SECOND, facts, **other)


def said(*notices: Notice, is_repeat: bool = False) -> wording.Message:
    return wording.message(Delivery(1, "mail", notices, is_repeat), ORIGIN)


def test_a_failure_tells_each_attempt_what_follows_and_where_to_look() -> None:
    message = said(notice())
    assert message.subject == "backup failed on web1: timed out"
    assert (
        message.text
        == """\
backup failed on web1: timed out.
Run 7, due Mon 2027-03-01 13:00 Europe/Berlin:
  attempt 1 at 13:00:00: exit 1 after 2 s
  attempt 2 at 13:00:30: timed out after 1 min
This run is not tried again (no attempts left).
The next one comes by the schedule.
You are reminded once a day while it fails, and told when it succeeds.

Command: /usr/bin/backup
Line: crontab:12
Look: meridian logs 7, meridian why 7

The end of its output:
the end of outputs/backup/7.2.log
"""
    )


WORDS = [
    # kind, what is known, the subject, a line of the text
    (Kind.FAILURE, replace(FACTS, count=5), "backup failed 5 times in a row on web1: timed out", "It has failed 5 times in a row, since Mon 2027-03-01 13:00 Europe/Berlin."),
    (Kind.FAILURE, replace(FACTS, count=5, of=9), "backup flaps on web1: 5 of 9 runs failed", "You hear once a day while this goes on, and when it is over."),
    (Kind.RECOVERY, replace(FACTS, count=5), "backup is well again on web1", "It had failed 5 times in a row, since Mon 2027-03-01 13:00 Europe/Berlin."),
    (Kind.RECOVERY, FACTS, "backup is well again on web1", "It had failed on Mon 2027-03-01 13:00 Europe/Berlin."),
    (Kind.RECOVERY, replace(FACTS, count=5, of=9), "backup is well again on web1", "From Mon 2027-03-01 13:00 Europe/Berlin on, 5 of its 9 runs had failed."),
    (Kind.RECOVERY, replace(FACTS, count=0), "backup is well again on web1", "It had not succeeded since Mon 2027-03-01 13:00 Europe/Berlin."),
    (Kind.MISSED, replace(FACTS, count=96, run=None, attempts=(), reason="too late"), "96 runs of backup never started on web1: too late", "Look: meridian history backup, meridian why backup"),
    (Kind.SLOW, replace(FACTS, took=7200.0, usual=600.0), "backup took 2 h on web1, and usually takes 10 min", "You hear of it at most once a day."),
    (Kind.SILENT, replace(FACTS, run=None, attempts=(), reason="it is paused"), "backup has not succeeded on web1 since Mon 2027-03-01 13:00 Europe/Berlin", "It is paused."),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "facts", "subject", "line"), WORDS, ids=[f"{row[0]} {row[3][:30]}" for row in WORDS])  # fmt: skip
def test_each_kind_has_its_words_in_lines_that_a_terminal_and_a_mail_have_room_for(
    kind: Kind, facts: Facts, subject: str, line: str
) -> None:
    message = said(notice(kind, facts))
    assert message.subject == subject
    assert line in message.text.splitlines()
    assert max(map(len, message.text.splitlines())) <= 78


def test_many_are_one_list_with_their_numbers_in_the_subject() -> None:
    failed = [notice(facts=replace(FACTS, job=f"job{n}")) for n in range(1000)]
    message = said(*failed, notice(Kind.RECOVERY))
    assert message.subject == "1000 failed, 1 recovered on web1: job0, job1, job2 and 998 more"
    lines = message.text.splitlines()
    assert lines[2] == "Mon 2027-03-01 13:01 Europe/Berlin  job0 failed: timed out"
    assert "and 901 more: meridian alerts lists them" in lines
    assert len(lines) < wording.MOST_LISTED + 10


def test_a_template_is_filled_once_and_a_fact_is_no_template() -> None:
    facts = replace(FACTS, command="echo {job} \\n")
    message = said(notice(facts=facts, subject="{job}: {outcome}\\nx", text="{command}\\n{count} {since}\\n{output}"))  # fmt: skip
    assert message.subject == "backup: timed out x"
    assert message.text == (
        "echo {job} \\n\n1 2027-03-01T13:00:00+01:00\nthe end of outputs/backup/7.2.log\n"
    )


def test_a_template_of_a_subject_heads_a_line_of_a_list() -> None:
    message = said(notice(subject="page {user}@{host}"), notice())
    assert "page ops@web1" in message.text


def test_what_may_be_a_repeat_says_so() -> None:
    message = said(notice(), is_repeat=True)
    assert message.text.startswith(
        "Perhaps a repeat: nobody could tell whether this was sent before.\n\n"
    )


def test_nothing_of_a_job_makes_another_header_or_steers_a_terminal() -> None:
    evil = "x\r\nBcc: all@example.org\x1b[2J\u202e"
    facts = replace(FACTS, job=evil, command=evil, outcome=evil, reason=evil)
    for notices in ([notice(facts=facts)], [notice(facts=facts)] * 2, [notice(facts=facts, subject=evil, text=evil)]):  # fmt: skip
        message = said(*notices)
        assert message.subject.isprintable()
        assert all(line.replace("\t", "").isprintable() for line in message.text.split("\n"))
        assert "\x1b" not in message.summary


def test_an_output_of_any_size_makes_no_endless_message() -> None:
    big = Origin("web1", "ops", lambda _: "x" * 10**7)
    message = wording.message(Delivery(1, "mail", (notice(text="{output}{output}"),)), big)
    assert len(message.text) <= wording.LONGEST_MESSAGE
    assert len(message.summary) <= wording.LONGEST_SUMMARY


@given(st.lists(values(Notice), min_size=1, max_size=3))
def test_any_notices_have_a_message(notices: list[Notice]) -> None:
    message = said(*notices)
    assert message.subject.isprintable()
    assert len(message.subject) <= wording.LONGEST_SUBJECT
