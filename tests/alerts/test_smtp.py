"""Mail at a real SMTP server: TLS, STARTTLS, a login, and every way in which a server fails."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import smtp_server
from smtp_server import DROP, HANG, PASSWORD, PATIENT, QUIET, USER, Certificates

from scheduler.alerts.channel import NotSent
from scheduler.alerts.mail_account import Encryption, MailAccount
from scheduler.alerts.smtp import SmtpServer

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

MESSAGE = b"Subject: x\r\n\r\nhello\r\n.\r\n..dots\r\n"
FROM, TO = "cron@example.org", ("amy@example.org", "bob@example.org")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return smtp_server.certificates(tmp_path_factory.mktemp("certificates"))


def account(
    port: int,
    tls: Encryption = Encryption.NONE,
    *,
    login: tuple[str, str] = ("", ""),
    ca_file: Path | None = None,
    host: str = "localhost",
) -> MailAccount:
    return MailAccount(
        "mail.toml", host, port, tls, *login, ca_file=str(ca_file) if ca_file else ""
    )


def send(
    to: MailAccount, *recipients: str, waits_for_all: bool = True, seconds: float = PATIENT
) -> NotSent | None:
    """Send one mail, and return why it was not taken."""
    with closing(SmtpServer(to, seconds)) as server:
        try:
            server.send(MESSAGE, FROM, recipients or TO, waits_for_all=waits_for_all)
        except NotSent as error:
            return error
    return None


def test_a_relay_on_loopback_needs_neither_tls_nor_a_login() -> None:
    with smtp_server.serving() as (inbox, port):
        assert send(account(port)) is None
    (mail,) = inbox.taken
    assert (mail.sender, tuple(mail.recipients), mail.data) == (FROM, TO, MESSAGE)


def test_tls_from_the_first_byte_with_a_login(certificates: Certificates) -> None:
    with smtp_server.serving(tls=certificates.right, login=True) as (inbox, port):
        to = account(port, Encryption.TLS, login=(USER, PASSWORD), ca_file=certificates.authority)
        assert send(to) is None
    (mail,) = inbox.taken
    assert (mail.is_encrypted, mail.login) == (True, USER)


def test_starttls_with_a_login(certificates: Certificates) -> None:
    with smtp_server.serving(starttls=certificates.right, login=True) as (inbox, port):
        to = account(
            port, Encryption.STARTTLS, login=(USER, PASSWORD), ca_file=certificates.authority
        )
        assert send(to) is None
    (mail,) = inbox.taken
    assert (mail.is_encrypted, mail.login) == (True, USER)


def test_a_wrong_password_is_told_without_it_and_may_be_mended(certificates: Certificates) -> None:
    with smtp_server.serving(tls=certificates.right, login=True) as (inbox, port):
        to = account(
            port, Encryption.TLS, login=(USER, "wrong-word"), ca_file=certificates.authority
        )
        error = send(to)
    assert error is not None
    assert "refuses the login of ada" in str(error)
    assert "wrong-word" not in str(error)
    assert (error.permanent, inbox.taken) == (False, [])


@pytest.mark.parametrize("tls", [Encryption.TLS, Encryption.STARTTLS])
@pytest.mark.parametrize("which", ["unknown authority", "wrong name"])
def test_a_certificate_that_is_not_to_be_trusted_gets_no_mail_and_no_password(
    tls: Encryption, which: str, certificates: Certificates
) -> None:
    shown = certificates.wrong_name if which == "wrong name" else certificates.right
    served: dict[str, ssl.SSLContext] = {"tls" if tls is Encryption.TLS else "starttls": shown}
    with smtp_server.serving(login=True, **served) as (inbox, port):  # type: ignore[arg-type]
        ca_file = certificates.authority if which == "wrong name" else None
        error = send(account(port, tls, login=(USER, PASSWORD), ca_file=ca_file))
    assert error is not None
    assert "is not to be trusted" in str(error)
    assert (error.permanent, inbox.taken) == (False, [])


def test_a_server_without_starttls_gets_nothing_in_clear() -> None:
    with smtp_server.serving(login=True) as (inbox, port):
        error = send(account(port, Encryption.STARTTLS, login=(USER, PASSWORD)))
    assert "offers no STARTTLS, and nothing is sent in clear" in str(error)
    assert inbox.taken == []


def test_a_ca_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = send(account(1, Encryption.TLS, ca_file=tmp_path / "none.pem"))
    assert "none.pem can't be read: No such file" in str(error)


def test_one_connection_is_kept_for_the_mails_of_a_batch() -> None:
    with (
        smtp_server.serving() as (inbox, port),
        closing(SmtpServer(account(port), PATIENT)) as server,
    ):
        for _ in range(3):
            server.send(MESSAGE, FROM, TO)
    assert len({mail.peer for mail in inbox.taken}) == 1
    assert len(inbox.taken) == 3


def test_a_refused_mail_keeps_the_next_one_from_nothing() -> None:
    with (
        smtp_server.serving() as (inbox, port),
        closing(SmtpServer(account(port), PATIENT)) as server,
    ):
        inbox.at_data.append("554 no spam")
        with pytest.raises(NotSent, match="554 no spam"):
            server.send(MESSAGE, FROM, TO)
        server.send(MESSAGE, FROM, TO)
    assert len(inbox.taken) == 1


@pytest.mark.parametrize(
    ("said", "error", "permanent", "why"),
    [
        ({"connect": "421 busy"}, "421 busy", False, "greeting for now"),
        ({"connect": "554 go away"}, "554 go away", False, "of the server, not of the mail"),
        ({"connect": "HTTP/1.1 400"}, "no answer that makes sense", False, "no SMTP at all"),
        ({"connect": "220 " + "x" * 9000}, "with a line that has no end", False, "no code of its"),
        ({"end": "250 " + "x" * 9000}, "lost: it answers with a line that has no end", False, ""),
        ({"EHLO": "550 no", "HELO": "550 no"}, "550 no", False, "EHLO"),
        ({"MAIL": "451 later"}, "the sender cron@example.org is refused: 451 later", False, ""),
        ({"MAIL": "550 not you"}, "the sender cron@example.org is refused: 550 not you", True, ""),
        ({"RCPT": "450 later"}, "amy@example.org is refused: 450 later; bob", False, "greylisting"),
        ({"RCPT": "550 nobody"}, "amy@example.org is refused: 550 nobody; bob", True, "no user"),
        ({"DATA": "451 later"}, "the message is refused: 451 later", False, ""),
        ({"DATA": "554 no"}, "the message is refused: 554 no", True, ""),
        ({"end": "452 full"}, "the message is refused: 452 full", False, "a full disk"),
        ({"end": "552 too big"}, "the message is refused: 552 too big", True, ""),
        ({"end": "rubbish"}, "no answer that makes sense", False, "nobody knows"),
        *(
            ({stage: said}, "localhost", False, "it may be well later")
            for stage in ("connect", "EHLO", "MAIL", "RCPT", "DATA", "middle", "end")
            for said in (HANG, DROP)
        ),
    ],
)
def test_a_server_that_fails_is_told_and_tried_again_unless_the_mail_is_refused(
    said: dict[str, str], error: str, permanent: bool, why: str
) -> None:
    with smtp_server.failing(said) as port:
        found = send(account(port), seconds=QUIET if HANG in said.values() else PATIENT)
    assert found is not None, why
    assert error in str(found)
    assert found.permanent == permanent, why
    is_answered = not any(
        each in (HANG, DROP, "rubbish") or "xxx" in each for each in said.values()
    )
    assert found.is_unsure is (not is_answered and not {"DATA", "middle", "end"}.isdisjoint(said))


@pytest.mark.parametrize(("stage", "said"), [("QUIT", HANG), ("QUIT", DROP), ("RSET", "500 no")])
def test_what_goes_wrong_behind_the_mail_is_no_failure(stage: str, said: str) -> None:
    with smtp_server.failing({stage: said}) as port:
        assert send(account(port), seconds=QUIET if said == HANG else PATIENT) is None


def test_nobody_listens() -> None:
    error = send(account(1))
    assert "no connection to localhost port 1: Connection refused" in str(error)
    assert error is not None
    assert not error.permanent


def test_a_server_that_is_not_there_is_tried_once_for_a_batch() -> None:
    with (
        smtp_server.failing({"connect": HANG}) as port,
        closing(SmtpServer(account(port), QUIET)) as server,
    ):
        errors = []
        for _ in range(50):  # 15 s if each of them waited
            with pytest.raises(NotSent) as raised:
                server.send(MESSAGE, FROM, TO)
            errors.append(str(raised.value))
    assert len(set(errors)) == 1


def test_a_server_that_has_closed_an_idle_connection_is_connected_to_again() -> None:
    with (
        smtp_server.serving() as (inbox, port),
        closing(SmtpServer(account(port), PATIENT)) as server,
    ):
        server.send(MESSAGE, FROM, TO)
        assert server._connection is not None
        assert server._connection.sock is not None
        server._connection.sock.shutdown(2)
        server.send(MESSAGE, FROM, TO)
    assert len(inbox.taken) == 2


# --- one of several recipients -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "waits_for_all", "taken", "error", "permanent", "why"),
    [
        (
            "550 nobody",
            True,
            ["amy@example.org"],
            "sent to amy@example.org, but bob",
            True,
            "he will never have it",
        ),
        (
            "450 later",
            True,
            [],
            "bob@example.org is refused: 450 later",
            False,
            "both get it once, a little later",
        ),
        (
            "450 later",
            False,
            ["amy@example.org"],
            "sent to amy@example.org, but bob",
            True,
            "she has waited long enough",
        ),
    ],
)
def test_one_of_two_recipients_is_refused(
    answer: str, waits_for_all: bool, taken: list[str], error: str, permanent: bool, why: str
) -> None:
    with smtp_server.serving() as (inbox, port):
        inbox.refuses["bob@example.org"] = answer
        found = send(account(port), waits_for_all=waits_for_all)
    assert [to for mail in inbox.taken for to in mail.recipients] == taken, why
    assert found is not None
    assert error in str(found)
    assert found.permanent == permanent, why


def test_an_address_beyond_ascii_goes_by_smtputf8() -> None:
    with smtp_server.serving() as (inbox, port):
        assert send(account(port), "jörg@exämple.org") is None
    assert inbox.taken[0].recipients == ["jörg@exämple.org"]


def test_a_server_without_smtputf8_is_told_by_the_address() -> None:
    with smtp_server.serving(utf8=False) as (inbox, port):
        error = send(account(port), "jörg@example.org")
    assert error is not None
    assert "takes no address with letters beyond ASCII: jörg@example.org" in str(error)
    assert (error.permanent, inbox.taken) == (True, [])


def test_what_a_server_says_steers_no_terminal() -> None:
    with smtp_server.failing({"RCPT": "550 \x1b[31mred " + "x" * 900}) as port:
        error = send(account(port), "amy@example.org")
    assert "\x1b" not in str(error)
    assert len(str(error)) < 400
