"""Real SMTP servers on loopback: one that takes mail, with TLS and a login, and one that fails."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedReader
    from pathlib import Path

USER, PASSWORD = "ada", "s3cret-word"
QUIET = 0.3  # seconds until a client must give up a server that says nothing
PATIENT = 20.0  # and one that is only slow, on a machine with much to do


@dataclass(frozen=True)
class Taken:
    """A mail as the server got it, and how."""

    sender: str
    recipients: list[str]
    data: bytes
    is_encrypted: bool
    login: str | None
    peer: object


@dataclass
class Inbox:
    """What a server has taken, and whom it refuses: `refuses` has its answer by address."""

    taken: list[Taken] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    at_data: list[str] = field(default_factory=list)  # answers to the next mails
    needs_login: bool = False

    async def handle_RCPT(self, *given: Any) -> str:  # noqa: N802 (the library's name)
        _, session, envelope, address, _ = given
        if self.needs_login and session.auth_data is None:
            return "530 who are you?"
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, *given: Any) -> str:  # noqa: N802 (likewise)
        server, session, envelope = given
        if self.at_data:
            return self.at_data.pop(0)
        login = session.auth_data.login.decode() if session.auth_data else None
        self.taken.append(
            Taken(
                envelope.mail_from,
                envelope.rcpt_tos,
                envelope.content,
                server.transport.get_extra_info("ssl_object") is not None,
                login,
                session.peer,
            )
        )
        return "250 OK"


@dataclass(frozen=True)
class Certificates:
    """An authority and a certificate of `localhost` and 127.0.0.1 by it, as files."""

    authority: Path
    right: ssl.SSLContext
    wrong_name: ssl.SSLContext


def certificates(folder: Path) -> Certificates:
    """Make them."""
    authority = trustme.CA()
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    contexts = []
    for names in (("localhost", "127.0.0.1"), ("elsewhere.example",)):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(*names).configure_cert(context)
        contexts.append(context)
    return Certificates(path, *contexts)


class _TlsController(Controller):
    """One that speaks TLS from the first byte; the library's own check of its start does, too."""

    def _trigger_server(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((self.hostname, self.port), 5) as plain,
            context.wrap_socket(plain) as encrypted,
        ):
            encrypted.recv(1024)


@contextmanager
def serving(
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: bool = False,
    utf8: bool = True,
) -> Iterator[tuple[Inbox, int]]:
    """Run a server; yields what it takes, and its port."""

    def check(*given: Any) -> AuthResult:
        data = given[-1]
        assert isinstance(data, LoginPassword)
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, auth_data=data if right else None, handled=right)

    inbox = Inbox(needs_login=login)
    kind = _TlsController if tls else Controller
    controller = kind(
        inbox,
        hostname="127.0.0.1",
        port=_free_port(),
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        authenticator=check if login else None,
        auth_require_tls=False,  # it does not know of TLS from the first byte
        enable_SMTPUTF8=utf8,
    )
    controller.start()
    try:
        yield inbox, controller.port
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


HANG, DROP = "hang", "drop"
WELL = {
    "connect": "220 test",
    "EHLO": "250 test",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go on",
    "end": "250 OK",
    "RSET": "250 OK",
    "QUIT": "221 bye",
}


@contextmanager
def failing(said: Mapping[str, str], heard: list[str] | None = None) -> Iterator[int]:
    """Run a server that answers as it should, but for what is said; yields its port.

    It puts each word that it hears into `heard`.

    What it says is by the word it hears, `connect` before any, `end` after the message. HANG says
    nothing, DROP ends the connection; `middle` is when a part of the message has come.
    """
    answers = {**WELL, **said}
    with socket.create_server(("127.0.0.1", 0)) as server:
        ending = threading.Event()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    talk = (connection, answers, ending, [] if heard is None else heard)
                    threading.Thread(target=_talk, args=talk, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        ending.set()
        server.shutdown(socket.SHUT_RDWR)


def _talk(
    connection: socket.socket, answers: Mapping[str, str], ending: threading.Event, words: list[str]
) -> None:
    with connection, suppress(OSError), connection.makefile("rb") as heard:
        if not _answer(connection, answers["connect"], ending):
            return
        for line in heard:
            word = line[:4].decode("ascii", "replace").upper()
            words.append(word)
            if not _answer(connection, answers.get(word, "502 what?"), ending):
                return
            takes_mail = word == "DATA" and answers["DATA"].startswith("354")
            if takes_mail and not _take(connection, heard, answers, ending):
                return


def _take(
    connection: socket.socket,
    heard: BufferedReader,
    answers: Mapping[str, str],
    ending: threading.Event,
) -> bool:
    for part in heard:
        if part == b".\r\n":
            break
        if "middle" in answers and not _answer(connection, answers["middle"], ending):
            return False
    return _answer(connection, answers["end"], ending)


def _answer(connection: socket.socket, said: str, ending: threading.Event) -> bool:
    if said == HANG:
        ending.wait()
    if said in (HANG, DROP):
        return False
    connection.sendall(f"{said}\r\n".encode())
    return True
