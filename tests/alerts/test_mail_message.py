"""What a mail says, and that nothing in it is more than text."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notices import AT, FACTS, OUTPUT, delivery, notice, wrote

from scheduler import own_secrets
from scheduler.alerts import mail_message
from scheduler.alerts.channel import Place
from scheduler.alerts.mail_message import MailHead
from scheduler.crontab import parser
from scheduler.crontab.mail_variables import ContentType
from scheduler.notice import AttemptFacts, Delivery, Kind, Notice

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

    from scheduler.entry import Entry

HEAD = MailHead(
    "cron@example.org", ("amy@example.org", "bob@example.org"), AT, "ada", "box.example.org"
)
SUCCESS = {
    "outcome": "exit 0",
    "reason": "",
    "attempts": (AttemptFacts(1, "exit 0", OUTPUT, AT, AT),),
}
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Precedence"]
OF_RUN = ["X-Meridian-Job", "X-Meridian-Run", "X-Meridian-Kind"]
OF_TEXT = ["Content-Type", "Content-Transfer-Encoding", "MIME-Version"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, tmp_path, {})


def compose(told: Delivery, place: Place, head: MailHead = HEAD) -> EmailMessage:
    """The mail, as whoever gets it reads it."""
    data = mail_message.compose(told, head, place).as_bytes()
    assert data.isascii()
    assert all(len(line) <= 998 for line in data.split(b"\r\n")), "RFC 5322, 2.1.1"
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert b"\n" not in data.replace(b"\r\n", b"")
    return email.message_from_bytes(data, policy=email.policy.default)


def an_entry() -> Entry:
    """An entry of a crontab."""
    (entry,) = parser.parse(b"0 9 * * * backup\n", file="a", zone=ZoneInfo("UTC")).entries
    return entry


def text_of(message: EmailMessage) -> str:
    """Its text, without what carries it."""
    return str(message.get_content()).replace("\r\n", "\n")


# --- an output -----------------------------------------------------------------------------------


def test_a_run_that_went_well_is_told_as_in_cron(place: Place) -> None:
    wrote(place.state, b"all is well\n.\nFrom here\n")
    message = compose(delivery(notice("mail:amy", Kind.OUTPUT, **SUCCESS)), place)
    assert message["Subject"] == "Cron <ada@box> /usr/local/bin/backup --all"
    assert text_of(message) == "all is well\n.\nFrom here\n"
    assert sorted(message.keys()) == sorted([*HEADERS, *OF_RUN, *OF_TEXT])
    assert message["From"] == "Cron Daemon <cron@example.org>"
    assert message["To"] == "amy@example.org, bob@example.org"
    assert message["Date"].datetime == AT
    assert message["Auto-Submitted"] == "auto-generated"
    assert (message["X-Meridian-Job"], message["X-Meridian-Run"]) == ("backup", "7")
    assert message.get_content_type() == "text/plain"


def test_a_run_that_failed_says_so_and_what_came_of_each_attempt(place: Place) -> None:
    attempts = []
    for number in (1, 2, 3):
        output = OUTPUT.replace(".1.", f".{number}.")
        (place.state / output).parent.mkdir(parents=True, exist_ok=True)
        (place.state / output).write_text(f"attempt {number} says this\n")
        at = AT + timedelta(minutes=number)
        attempts.append(AttemptFacts(number, f"exit {number}", output, at, at, took=5.0))
    told = notice("mail:amy", Kind.OUTPUT, outcome="exit 3", attempts=tuple(attempts))
    message = compose(delivery(told), place)
    assert message["Subject"] == "Cron <ada@box> failed (exit 3): /usr/local/bin/backup --all"
    text = text_of(message)
    assert text.startswith("backup failed: exit 3, after 3 attempts (no attempts left).\n")
    assert "  attempt 2 at 03:32:00: exit 2 after 5 s\n" in text
    assert text.index("attempt 3, the last") < text.index("attempt 3 says this")
    assert text.index("attempt 3 says this") < text.index("attempt 2 says this")
    assert text.index("attempt 2 says this") < text.index("attempt 1 says this")
    assert "meridian logs 7" in text


def test_a_run_that_went_well_in_the_end_says_what_came_before(place: Place) -> None:
    wrote(place.state, b"done\n")
    attempts = (AttemptFacts(1, "exit 3", "outputs/backup/none"), AttemptFacts(2, "exit 0", OUTPUT))
    told = notice("mail:amy", Kind.OUTPUT, **SUCCESS | {"attempts": attempts})
    message = compose(delivery(told), place)
    assert message["Subject"] == "Cron <ada@box> /usr/local/bin/backup --all"
    assert text_of(message).startswith("backup succeeded after 2 attempts.\n")
    assert "done\n" in text_of(message)


def test_a_failure_without_a_word_and_an_output_that_is_gone_are_told(place: Place) -> None:
    told = delivery(notice("mail:amy", Kind.OUTPUT))
    assert "(its output is not kept any more)" in text_of(compose(told, place))
    wrote(place.state, b"")
    assert "(no output)" in text_of(compose(told, place))


def test_a_run_that_never_began_is_told(place: Place) -> None:
    told = notice("mail:amy", Kind.OUTPUT, outcome="", attempts=())
    assert "no attempts left" in text_of(compose(delivery(told), place))


def test_100_mb_of_output_are_a_short_mail(place: Place) -> None:
    wrote(place.state, b"begin\n")
    with (place.state / OUTPUT).open("r+b") as file:
        file.seek(100_000_000)
        file.write(b"the end\n")
    message = compose(delivery(notice("mail:amy", Kind.OUTPUT, **SUCCESS)), place)
    text = text_of(message)
    assert text.startswith("begin\n")
    assert "the end\n" in text
    assert "All that is kept of it: meridian logs 7\n" in text
    assert len(message.as_bytes()) < 300_000


def test_a_thousand_attempts_are_a_short_mail(place: Place) -> None:
    wrote(place.state, b"x" * 1000)
    attempts = tuple(AttemptFacts(number, "exit 3", OUTPUT, AT, AT) for number in range(1, 1001))
    message = compose(delivery(notice("mail:amy", Kind.OUTPUT, attempts=attempts)), place)
    assert len(text_of(message)) < 10_000


@pytest.mark.parametrize(
    ("output", "text", "encoding"),
    [
        (b"plain\n", "plain\n", "7bit"),
        ("größer\n".encode(), "größer\n", "quoted-printable"),
        (b"x" * 2000 + b"\n", "x" * 2000 + "\n", "quoted-printable"),
        (b"caf\xe9\n", "caf\\xe9\n", "7bit"),
        (b"a\x00b\x1b[2J\n", "a\\x00b\\x1b[2J\n", "7bit"),
        (b"<script>alert(1)</script>\n", "<script>alert(1)</script>\n", "7bit"),
        (b"a \n", "a \n", "7bit"),
    ],
)
def test_any_output_arrives_as_plain_text(
    output: bytes, text: str, encoding: str, place: Place
) -> None:
    wrote(place.state, output)
    message = compose(delivery(notice("mail:amy", Kind.OUTPUT, **SUCCESS)), place)
    assert (text_of(message), message["Content-Transfer-Encoding"]) == (text, encoding)
    assert message.get_content_type() == "text/plain"


def test_no_mail_has_a_secret_of_its_own_job(place: Place) -> None:
    entry = replace(an_entry(), environment=(("API_KEY", "hunter22"),), job="backup")
    wrote(place.state, b"the key is hunter22\n" + b"line\n" * 30_000 + b"hunter22 again\n")
    secrets = own_secrets.fingerprints(entry)
    attempts = (AttemptFacts(1, "exit 0", OUTPUT, AT, AT, secrets),)
    told = notice("mail:amy", Kind.OUTPUT, **SUCCESS | {"attempts": attempts})
    text = text_of(compose(delivery(told), place))
    assert "hunter22" not in text
    assert text.startswith("the key is ***\n")
    assert "*** again\n" in text


def with_type(told: Notice, content_type: str) -> Delivery:
    return delivery(replace(told, content_type=content_type))


def test_a_crontab_may_ask_for_html(place: Place) -> None:
    wrote(place.state, "<b>größer</b>\n".encode())
    told = notice("mail:amy", Kind.OUTPUT, **SUCCESS)
    message = compose(with_type(told, "text/html; charset=utf-8"), place)
    assert (message.get_content_type(), text_of(message)) == ("text/html", "<b>größer</b>\n")


def test_html_of_a_run_that_failed_stands_behind_what_happened(place: Place) -> None:
    wrote(place.state, b"<b>x</b>\n")
    message = compose(with_type(notice("mail:amy", Kind.OUTPUT), "text/html"), place)
    plain, html = message.iter_parts()
    assert isinstance(plain, type(message))
    assert isinstance(html, type(message))
    assert text_of(plain).startswith("backup failed: exit 3")
    assert "<b>" not in text_of(plain)
    assert (html.get_content_type(), text_of(html)) == ("text/html", "<b>x</b>\n")


def test_html_that_is_cut_is_told_as_text(place: Place) -> None:
    wrote(place.state, b"<b>" * 100_000)
    told = notice("mail:amy", Kind.OUTPUT, **SUCCESS)
    assert compose(with_type(told, "text/html"), place).get_content_type() == "text/plain"


def test_an_output_in_another_charset_is_read_in_it(place: Place) -> None:
    wrote(place.state, b"caf\xe9\n")
    told = notice("mail:amy", Kind.OUTPUT, **SUCCESS)
    assert text_of(compose(with_type(told, "text/plain; charset=ISO-8859-1"), place)) == "café\n"


@pytest.mark.parametrize(
    "content_type", ["", "nonsense", "application/json", "text/plain; charset=x"]
)
def test_a_type_that_is_no_good_is_plain_text(content_type: str) -> None:
    assert (
        mail_message.content_of(replace(notice("mail"), content_type=content_type)) == ContentType()
    )


# --- repeats, alerts, tests ----------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["x", "é"])
@pytest.mark.parametrize("length", [1, 50, 67, 68, 69, 70, 74, 77, 78, 79, 120, 198])
def test_a_subject_begins_on_the_line_of_its_header(place: Place, letter: str, length: int) -> None:
    word = letter * length
    told = replace(notice("mail:amy"), subject=f"{word} b")
    raw = mail_message.compose(delivery(told), HEAD, place).as_bytes()
    assert not [line for line in raw.splitlines() if line.rstrip().endswith(b"Subject:")]
    assert email.message_from_bytes(raw, policy=email.policy.default)["Subject"] == f"{word} b"


def test_a_repeat_says_so_and_has_the_same_message_id(place: Place) -> None:
    wrote(place.state, b"done\n")
    told = notice("mail:amy", Kind.OUTPUT, **SUCCESS)
    later = replace(HEAD, at=AT + timedelta(hours=1))
    first = compose(delivery(told), place)
    again = compose(delivery(told, is_repeat=True), place, later)
    other = compose(delivery(replace(told, at=AT + timedelta(days=1))), place)
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert (
        text_of(again)
        == "Perhaps a repeat: nobody could tell whether this was sent before.\n\ndone\n"
    )
    html = compose(replace(with_type(told, "text/html"), is_repeat=True), place)
    assert text_of(html).startswith("<pre>Perhaps a repeat")


def test_an_alert_has_the_words_of_any_message(place: Place) -> None:
    message = compose(delivery(notice("mail:amy")), place)
    assert message["Subject"].startswith("backup failed")
    assert "Command: /usr/local/bin/backup --all" in text_of(message)
    assert message["X-Meridian-Kind"] == "failure"


def test_many_outputs_are_one_list(place: Place) -> None:
    told = [notice("mail:amy", Kind.OUTPUT, job=f"job-{number}") for number in range(30)]
    message = compose(delivery(*told), place)
    assert message["Subject"].startswith("30 with output on ")
    assert message["X-Meridian-Job"] is None
    assert all(f"job-{number}: " in text_of(message) for number in range(30))


def test_a_test_mail_says_what_it_is() -> None:
    message = mail_message.test_mail(HEAD, "asked for\n")
    assert message["Subject"] == "Meridian on box.example.org: mail works"
    later = mail_message.test_mail(replace(HEAD, at=AT + timedelta(seconds=1)), "")
    assert message["Message-ID"] != later["Message-ID"]


# --- what others wrote is never a header ---------------------------------------------------------


HOSTILE = [
    "x\r\nBcc: victim@example.org",
    "x\nBcc: victim@example.org\n\nbody",
    "x\r\n\r\n<html>",
    "x\rBcc: a@b",
    "x\x85Bcc: a@b",
    "x\u2028Bcc: a@b",
    "x\x0bBcc: a@b",
    "=?utf-8?q?x=0D=0ABcc:_a@b?=",
    "x" * 5000,
    "\u00e4" * 500,
    "\udcff\udcfe",
    "\x00",
    "",
    " ",
    '"<>,;:()[]@\\',
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_of_a_run_becomes_a_header(hostile: str, place: Place) -> None:
    facts = replace(FACTS, job=hostile, command=hostile, outcome=hostile, reason="x", file=hostile)
    for kind in (Kind.OUTPUT, Kind.FAILURE):
        told = Notice(
            "mail:amy", kind, AT, facts, subject=hostile, text=hostile, content_type=hostile
        )
        head = replace(HEAD, user=hostile, host=hostile)
        message = compose(delivery(told), place, head)
        assert sorted(message.keys()) == sorted([*HEADERS, *OF_RUN, *OF_TEXT])
        assert message["To"] == "amy@example.org, bob@example.org"


HOSTILE_TEXT = st.lists(
    st.text(max_size=20)
    | st.sampled_from(
        [
            "=?utf-8?q?x=0D=0ABcc:_a@b?=",
            "=?utf-8?q?",
            "=0D=0A",
            "?=",
            "Bcc:",
            "\r\n",
            " ",
            "=?",
            "_a@b",
        ]
    ),
    max_size=12,
).map("".join)


@given(
    job=HOSTILE_TEXT,
    command=HOSTILE_TEXT,
    output=st.binary(max_size=400),
    host=st.text(max_size=30),
    content_type=st.text(max_size=30) | st.just("text/html"),
    outcome=HOSTILE_TEXT,
)
def test_the_parsed_mail_has_just_the_headers_that_were_set(
    tmp_path_factory: pytest.TempPathFactory,
    job: str,
    command: str,
    output: bytes,
    host: str,
    content_type: str,
    outcome: str,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    wrote(folder, output)
    facts = replace(FACTS, job=job, command=command, outcome=outcome, reason="")
    told = Notice("mail:amy", Kind.OUTPUT, AT, facts, content_type=content_type)
    head = replace(HEAD, host=host)
    message = compose(delivery(told), Place(folder, folder, {}), head)
    assert sorted(message.keys()) == sorted([*HEADERS, *OF_RUN, *OF_TEXT])
    assert message["From"] == "Cron Daemon <cron@example.org>"
    assert message["To"] == "amy@example.org, bob@example.org"
    assert message["Date"].datetime == AT
    assert not message.defects


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("größer --日本", "größer --日本"),
        ("a\tb  c", "a b c"),
        ("a\x1b[1mb", "a\\x1b[1mb"),
        ("=?utf-8?q?x?=", "= ?utf-8?q?x?="),
        ("curl 'https://x/?a=?b'", "curl 'https://x/?a=?b'"),
    ],
)
def test_a_subject_arrives_as_it_was_written(command: str, shown: str, place: Place) -> None:
    told = delivery(notice("mail:amy", Kind.OUTPUT, **SUCCESS, command=command))
    assert compose(told, place)["Subject"] == f"Cron <ada@box> {shown}"


def test_an_address_beyond_ascii_makes_headers_of_utf_8(place: Place) -> None:
    head = replace(HEAD, recipients=("jörg@exämple.org",))
    told = delivery(notice("mail:x", Kind.OUTPUT, **SUCCESS))
    data = mail_message.compose(told, head, place).as_bytes()
    assert "To: jörg@exämple.org\r\n".encode() in data


def test_times_are_those_of_the_machines_mail() -> None:
    message = mail_message.test_mail(replace(HEAD, at=datetime(2027, 3, 1, tzinfo=UTC)), "")
    assert message["Date"] == "Mon, 01 Mar 2027 00:00:00 +0000"
