"""The channel of mail, whole: deliveries in, mails at a real server or with a stand-in mailer."""

from __future__ import annotations

import email
import email.policy
import json
import os
import pwd
import socket
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import smtp_server
from notices import AT, OUTPUT, delivery, notice, wrote

from scheduler.alerts import mail, sendmail
from scheduler.alerts.channel import Place
from scheduler.notice import AttemptFacts, Delivery, Kind, Result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smtp_server import Inbox

SUCCESS = {
    "outcome": "exit 0",
    "reason": "",
    "attempts": (AttemptFacts(1, "exit 0", OUTPUT, AT, AT),),
}
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A machine whose only sendmail is on this PATH, if there is one there."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sendmail, "MAILERS", ())
    config = tmp_path / "config"
    config.mkdir(mode=0o700)
    wrote(tmp_path, b"all is well\n")
    return Place(tmp_path, config, {"PATH": str(tmp_path / "bin")})


@pytest.fixture
def served(place: Place) -> Iterator[Inbox]:
    with smtp_server.serving() as (inbox, port):
        account(place, port)
        yield inbox


def account(place: Place, port: int, more: str = "") -> None:
    file = place.config / "mail.toml"
    file.write_text(f'host = "localhost"\nport = {port}\ntls = "none"\n{more}')
    file.chmod(0o600)


def sent(*deliveries: Delivery, place: Place) -> list[Result]:
    return list(mail.send(deliveries, place))


def mailer(place: Place, code: int = 0) -> Path:
    """A sendmail on the PATH that records, and ends with this code."""
    program = place.state / "bin" / "sendmail"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"open({str(place.state / 'given')!r}, 'a').write(json.dumps([sys.argv[1:], sys.stdin.read()]) + '\\n')\n"
        f"sys.exit({code})\n"
    )
    program.chmod(0o755)
    return program


def given(place: Place) -> list[tuple[list[str], email.message.EmailMessage]]:
    """What the stand-in got: its arguments and the mail, each time."""
    lines = (place.state / "given").read_text().splitlines()
    parsed = (json.loads(line) for line in lines)
    return [
        (argv, email.message_from_string(text, policy=email.policy.default))
        for argv, text in parsed
    ]


def output(number: int = 1, target: str = "mail:amy@example.org", **more: object) -> Delivery:
    return delivery(notice(target, Kind.OUTPUT, **SUCCESS | more), number=number)


def test_mail_goes_to_the_server_of_the_account(place: Place, served: Inbox) -> None:
    assert sent(output(7), place=place) == [Result(7)]
    (taken,) = served.taken
    assert taken.recipients == ["amy@example.org"]
    assert b"all is well" in taken.data


def test_all_mails_of_a_batch_go_by_one_connection(place: Place, served: Inbox) -> None:
    many = delivery(
        *(notice("mail:amy@example.org", Kind.OUTPUT, run=n, **SUCCESS) for n in range(20))
    )
    assert sent(many, output(2), place=place) == [Result(1), Result(2)]
    assert len(served.taken) == 21
    assert len({taken.peer for taken in served.taken}) == 1


def test_more_than_20_outputs_are_one_mail_that_lists_them(place: Place, served: Inbox) -> None:
    many = delivery(
        *(notice("mail:amy@example.org", Kind.OUTPUT, run=n, **SUCCESS) for n in range(21))
    )
    assert sent(many, place=place) == [Result(1)]
    (taken,) = served.taken
    assert b"21 with output" in taken.data


def test_a_thousand_failures_are_one_mail(place: Place, served: Inbox) -> None:
    many = delivery(*(notice("mail:amy@example.org", job=f"job-{n}") for n in range(1000)))
    assert sent(many, place=place) == [Result(1)]
    (taken,) = served.taken
    assert len(taken.data) < 60_000


def test_outputs_and_alerts_in_one_delivery_are_told_apart(place: Place, served: Inbox) -> None:
    some = [
        notice("mail:amy@example.org"),
        output().notices[0],
        notice("mail:amy@example.org", Kind.RECOVERY),
    ]
    assert sent(delivery(*some), place=place) == [Result(1)]
    assert len(served.taken) == 2


def test_without_an_account_the_machines_mailer_is_the_way(place: Place) -> None:
    mailer(place)
    assert sent(output(), place=place) == [Result(1)]
    ((argv, message),) = given(place)
    assert argv == ["-i", "-t"]
    assert (message["To"], message["From"]) == ("amy@example.org", f"Cron Daemon <{ME}>")
    assert message.get_content() == "all is well\n"


def test_mailfrom_is_the_sender_of_the_envelope_too(place: Place) -> None:
    mailer(place)
    told = replace(output().notices[0], mail_from="cron-$USER@example.org")
    assert sent(delivery(told), place=place) == [Result(1)]
    ((argv, message),) = given(place)
    assert argv == ["-i", "-t", "-f", f"cron-{ME}@example.org"]
    assert message["From"] == f"Cron Daemon <cron-{ME}@example.org>"


def test_without_any_way_the_error_says_both_and_is_for_good(place: Place) -> None:
    (result,) = sent(output(), place=place)
    assert "neither a sendmail program nor" in result.error
    assert str(place.config / "mail.toml") in result.error
    assert result.permanent


def test_an_account_that_is_no_good_is_no_reason_to_use_another_way(place: Place) -> None:
    mailer(place)
    (place.config / "mail.toml").write_text("nonsense")
    (place.config / "mail.toml").chmod(0o600)
    results = sent(output(1), output(2), place=place)
    assert [result.delivery for result in results] == [1, 2]
    assert all("mail.toml:1: is no TOML" in result.error for result in results)
    assert not any(result.permanent for result in results)
    assert not (place.state / "given").exists()


# --- whom ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "mail_to", "more", "expected", "why"),
    [
        (
            "mail:amy@example.org,bob@example.org",
            "",
            "",
            ["amy@example.org", "bob@example.org"],
            "a list",
        ),
        ("mail", "amy@example.org", "", ["amy@example.org"], "MAILTO"),
        ("mail", "", 'to = "me@example.org"', ["me@example.org"], "whom the account means"),
        ("mail", "", "", [ME], "else the user, at a server on this machine"),
        ("mail:root", "", 'domain = "example.org"', ["root@example.org"], "a name at a domain"),
        ("mail:$USER@example.org", "", "", [f"{ME}@example.org"], "as in cronie"),
        ("mail:a@x.org,-f", "", "", ["a@x.org"], "the good ones of a list"),
        ("mail:jo@exämple.org", "", "", ["jo@xn--exmple-cua.org"], "a domain has a name in ASCII"),
    ],
)
def test_who_gets_it(
    target: str, mail_to: str, more: str, expected: list[str], why: str, place: Place
) -> None:
    with smtp_server.serving() as (inbox, port):
        account(place, port, more)
        told = replace(output(target=target).notices[0], mail_to=mail_to)
        assert sent(delivery(told), place=place) == [Result(1)]
    assert [taken.recipients for taken in inbox.taken] == [expected], why


@pytest.mark.parametrize(
    ("mail_from", "more", "expected", "why"),
    [
        ("cron@example.org", 'from = "other@example.org"', "cron@example.org", "MAILFROM"),
        ("", 'from = "other@example.org"', "other@example.org", "the account's"),
        (
            "",
            'user = "ada@example.org"\npassword = "s3cret-word"',
            "ada@example.org",
            "the login, if it is an address",
        ),
        ("", 'domain = "example.org"', f"{ME}@example.org", "the user at the account's domain"),
        ("", "", f"{ME}@{socket.gethostname()}", "the user at this host"),
        ("-f", 'from = "other@example.org"', "other@example.org", "a bad MAILFROM is none"),
    ],
)
def test_whom_it_is_from(
    mail_from: str,
    more: str,
    expected: str,
    why: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp_server, "USER", "ada@example.org")
    with smtp_server.serving(login="user" in more) as (inbox, port):
        account(place, port, more)
        told = replace(output().notices[0], mail_from=mail_from)
        assert sent(delivery(told), place=place) == [Result(1)]
    assert [taken.sender for taken in inbox.taken] == [expected], why


def test_a_local_name_is_nobody_at_a_server_elsewhere_and_the_others_get_theirs(
    place: Place, served: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.alerts.mail_account.is_loopback", lambda _: False)
    (result,) = sent(output(target="mail:root,amy@example.org"), place=place)
    assert served.taken[0].recipients == ["amy@example.org"]
    assert result.error.startswith("sent to amy@example.org, but root is a user of this machine")
    assert result.permanent
    (result,) = sent(output(target="mail:root"), place=place)
    assert "write MAILTO=root@example.org, or domain = " in result.error
    assert len(served.taken) == 1


def test_a_target_without_a_good_address_is_given_up(place: Place, served: Inbox) -> None:
    (result,) = sent(output(target="mail:-f"), place=place)
    assert (result.permanent, served.taken) == (True, [])
    assert "-f" in result.error


# --- when some of it fails -----------------------------------------------------------------------


def five(**more: object) -> Delivery:
    return delivery(
        *(notice("mail:amy@example.org", Kind.OUTPUT, run=n, **SUCCESS | more) for n in range(5))
    )


def test_what_was_sent_before_a_failure_for_now_is_not_sent_again(
    place: Place, served: Inbox
) -> None:
    served.at_data += ["250 OK", "250 OK", "452 full"]
    (result,) = sent(five(), place=place)
    assert (result.sent, result.permanent) == ((0, 1), False)
    assert "452 full" in result.error


def test_a_mail_that_is_refused_for_good_keeps_no_other_back(place: Place, served: Inbox) -> None:
    served.at_data += ["250 OK", "554 no"]
    (result,) = sent(five(), place=place)
    assert (result.sent, result.permanent) == ((0, 2, 3, 4), True)
    assert "554 no" in result.error
    assert len(served.taken) == 3


def test_a_failure_for_now_behind_one_for_good_is_tried_again(place: Place, served: Inbox) -> None:
    served.at_data += ["554 no", "451 later"]
    (result,) = sent(five(), place=place)
    assert (result.sent, result.permanent, result.is_unsure) == ((), False, False)


def test_a_server_that_takes_it_and_says_nothing_may_have_it(place: Place) -> None:
    with smtp_server.failing({"end": smtp_server.DROP}) as port:
        account(place, port)
        (result,) = sent(output(), place=place)
    assert (result.permanent, result.is_unsure) == (False, True)


@pytest.mark.parametrize(("stage", "is_unsure"), [("MAIL", False), ("end", True)])
def test_a_server_that_is_given_up_may_have_what_it_was_given(
    place: Place, monkeypatch: pytest.MonkeyPatch, stage: str, is_unsure: bool
) -> None:
    monkeypatch.setattr(mail, "_SECONDS_FOR_DELIVERY", 2.0)
    with smtp_server.failing({stage: smtp_server.HANG}) as port:
        account(place, port)
        first, second = sent(output(), output(2), place=place)
    assert first.error == "the server has not taken the mail within 2 s"
    assert (first.is_unsure, second.is_unsure) == (is_unsure, False)


def test_recipients_wait_for_one_another_an_hour_and_no_more(place: Place, served: Inbox) -> None:
    served.refuses["bob@example.org"] = "450 later"
    to_both = notice("mail:amy@example.org,bob@example.org")
    (result,) = sent(delivery(replace(to_both, at=datetime.now(UTC))), place=place)
    assert (result.permanent, served.taken) == (False, [])
    (result,) = sent(delivery(replace(to_both, at=datetime(2020, 1, 1, tzinfo=UTC))), place=place)
    assert result.error.startswith("sent to amy@example.org, but bob@example.org is refused")
    assert (result.permanent, len(served.taken)) == (True, 1)


def test_a_server_that_drips_is_given_up_for_the_whole_batch(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "_SECONDS_FOR_DELIVERY", 2.0)
    with smtp_server.failing({"MAIL": smtp_server.HANG}) as port:
        account(place, port)
        results = sent(*(output(n) for n in range(50)), place=place)
    assert len(results) == 50
    assert {result.error for result in results} == {"the server has not taken the mail within 2 s"}
    assert not any(result.permanent for result in results)


def test_what_there_is_no_time_for_goes_with_the_next_ones(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = mailer(place)
    program.write_text(program.read_text().replace("\n", "\nimport time; time.sleep(1)\n", 1))
    monkeypatch.setattr(mail, "_SECONDS_FOR_DELIVERY", 3.0)
    (result,) = sent(five(), place=place)
    assert 0 < len(result.sent) < 5
    assert len(given(place)) == len(result.sent)
    assert not result.permanent


def test_a_mail_without_any_time_is_not_begun(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer(place)
    monkeypatch.setattr(mail, "_SECONDS_FOR_DELIVERY", 0.0)
    (result,) = sent(five(), place=place)
    why = "there was no time left for it; it goes with the next ones"
    assert result == Result(1, why)


def test_a_mailer_that_fails_is_told(place: Place) -> None:
    mailer(place, 67)
    (result,) = sent(output(), place=place)
    assert "sendmail ended with 67 EX_NOUSER" in result.error
    assert result.permanent


# --- a mail on request ---------------------------------------------------------------------------


def test_a_test_mail_says_by_which_way_it_went(place: Place, served: Inbox) -> None:
    assert mail.send_test("amy@example.org", place) == Result(0)
    text = served.taken[0].data.decode()
    assert "mail works" in text
    assert "localhost port" in text.replace("=\r\n", "")
    assert mail.way(place).startswith("localhost port")
    assert "in clear, without a login" in mail.way(place)


def test_a_test_mail_by_the_machines_mailer(place: Place) -> None:
    program = mailer(place)
    assert mail.send_test("", place) == Result(0)
    ((_, message),) = given(place)
    assert message["To"] == ME
    assert mail.way(place) == str(program)


def test_a_test_mail_that_can_not_be_sent_says_why(place: Place) -> None:
    assert "there is no way to send mail" in mail.send_test("amy@example.org", place).error
    mailer(place)
    assert "is no address" in mail.send_test("-f", place).error
