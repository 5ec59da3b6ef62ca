"""A mail and an account in, the mail at its SMTP server out: RFC 5321, 3207 (STARTTLS), 8314 (TLS).

What a server says of the message or of a recipient is the message's: 5xx is for good, 4xx for now.
What is wrong before that (no connection, a certificate, a login) may be mended while the mail
waits, so it is never for good.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from scheduler.alerts.channel import NotSent
from scheduler.alerts.mail_account import Encryption
from scheduler.printable import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduler.alerts.mail_account import MailAccount

_MOST_SECONDS = 15.0  # for each answer; a sender has 60 until it must say something
_MOST_SECONDS_FOR_QUIT = 2.0  # which is only good manners
_MOST_SAID = 300  # characters of what a server says
_NO_SENSE = "no answer that makes sense"


class SmtpServer:
    """The connection to the server of one account, for the mails of one batch.

    Owns that connection: made for the first mail, kept for the next ones, made again once if the
    server has closed it meanwhile. The mail channel calls `send`, mail by mail, and `close`. If no
    connection can be made, none is tried for the rest of the batch: they hear why at once.
    """

    def __init__(self, account: MailAccount, seconds: float = _MOST_SECONDS) -> None:
        self._account = account
        self._seconds = seconds
        self._connection: smtplib.SMTP | None = None
        self._failed: NotSent | None = None
        self._is_in_data = False  # the server has it, wholly or in part, and has not answered

    def close(self) -> None:
        """Take leave of the server, which has answered for every mail by now."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError, smtplib.SMTPException):
                if connection.sock is not None:
                    connection.sock.settimeout(min(self._seconds, _MOST_SECONDS_FOR_QUIT))
                connection.quit()
            connection.close()

    def give_up(self, why: str) -> NotSent:
        """Send nothing more in this batch: somebody may still be waiting for the server.

        Returns what that means for the mail that is under way.
        """
        self._failed = NotSent(why)
        self._connection = None
        return NotSent(why, is_unsure=self._is_in_data)

    def send(
        self, message: bytes, sender: str, recipients: Sequence[str], *, waits_for_all: bool = True
    ) -> None:
        """Send a mail, or raise NotSent.

        Where some recipients are refused for now (greylisting), the others wait with them, so that
        nobody gets it twice. Without `waits_for_all` those who are taken get it, and the error,
        now for good, names the others. So it does where some are refused for good.
        """
        is_used = self._connection is not None
        try:
            self._transfer(self._connected(), message, sender, recipients, waits_for_all)
        except _ConnectionLost:
            if not is_used:
                raise
            self._transfer(self._connected(), message, sender, recipients, waits_for_all)

    def _transfer(
        self,
        connection: smtplib.SMTP,
        message: bytes,
        sender: str,
        recipients: Sequence[str],
        waits_for_all: bool,  # noqa: FBT001 (it is handed on as it came)
    ) -> None:
        """Say MAIL, RCPT and DATA; what the server refuses leaves the connection as it was."""
        self._is_in_data = False
        with self._answered():
            refused = self._envelope(connection, sender, recipients)
            for_now = {who: why for who, why in refused.items() if not why.permanent}
            if len(refused) == len(recipients) or (for_now and waits_for_all):
                first = next(iter((for_now or refused).values()))
                raise NotSent(_each(refused), permanent=first.permanent)
        with self._answered(is_data=True):
            self._is_in_data = True
            code, said = connection.data(message)
            self._is_in_data = False
            if code != 250:
                raise _refusal("the message", code, said, is_unsure=not 400 <= code < 600)
        if refused:
            taken = ", ".join(who for who in recipients if who not in refused)
            raise NotSent(f"sent to {taken}, but {_each(refused)}", permanent=True)

    def _envelope(
        self, connection: smtplib.SMTP, sender: str, recipients: Sequence[str]
    ) -> dict[str, NotSent]:
        """Say who sends it to whom; return who of them is refused, and why."""
        options = [] if f"{sender}{''.join(recipients)}".isascii() else ["SMTPUTF8"]
        try:
            code, said = connection.mail(sender, options)
        except smtplib.SMTPNotSupportedError as error:
            who = next(who for who in (sender, *recipients) if not who.isascii())
            why = f"{self._account.host} takes no address with letters beyond ASCII: {who}"
            raise NotSent(why, permanent=True) from error
        if code != 250:
            raise _refusal(f"the sender {sender}", code, said)
        refused = {}
        for who in recipients:
            code, said = connection.rcpt(who)
            if code not in (250, 251):  # 251: it is passed on to another address
                refused[who] = _refusal(who, code, said)
        return refused

    # --- the connection --------------------------------------------------------------------------

    def _connected(self) -> smtplib.SMTP:
        if self._failed is not None:
            raise NotSent(str(self._failed))
        if self._connection is None:
            try:
                self._connection = self._connect()
            except NotSent as error:
                self._failed = error
                raise
        return self._connection

    def _connect(self) -> smtplib.SMTP:
        """Connect, encrypt and log in; what goes wrong is NotSent, and nothing stays open."""
        connection: smtplib.SMTP | None = None
        where = f"{self._account.host} port {self._account.port}"
        try:
            connection = self._opened()
            self._encrypt(connection)
            if self._account.user:
                connection.login(self._account.user, self._account.password)
        except smtplib.SMTPAuthenticationError as error:
            why = f"{where} refuses the login of {self._account.user}"
            raise NotSent(f"{why}: {_said(error.smtp_code, error.smtp_error)}") from error
        except smtplib.SMTPResponseException as error:
            said = _said(error.smtp_code, error.smtp_error)
            raise NotSent(f"{where} answers {said}") from error
        except ssl.SSLCertVerificationError as error:
            why = f"the certificate of {where} is not to be trusted: {error.verify_message}"
            raise NotSent(f"{why}; {self._account.file} may name a ca_file") from error
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise NotSent(f"no connection to {where}: {_why(error)}") from error
        else:
            made, connection = connection, None
            return made
        finally:
            if connection is not None:
                connection.close()

    def _opened(self) -> smtplib.SMTP:
        host, port, name = self._account.host, self._account.port, _own_name()
        if self._account.tls is not Encryption.TLS:
            return smtplib.SMTP(host, port, name, self._seconds)
        return smtplib.SMTP_SSL(host, port, name, timeout=self._seconds, context=self._trusted())

    def _encrypt(self, connection: smtplib.SMTP) -> None:
        """Say EHLO, and STARTTLS where that is how it is encrypted; never go on in clear then."""
        connection.ehlo_or_helo_if_needed()
        if self._account.tls is not Encryption.STARTTLS:
            return
        if not connection.has_extn("starttls"):
            raise ValueError("it offers no STARTTLS, and nothing is sent in clear")
        connection.starttls(context=self._trusted())
        connection.ehlo_or_helo_if_needed()

    def _trusted(self) -> ssl.SSLContext:
        """Return what trusts the machine's authorities, or those of the account's file alone."""
        try:
            return ssl.create_default_context(cafile=self._account.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            why = f"ca_file {self._account.ca_file} can't be read: {_why(error)}"
            raise NotSent(f"{self._account.file}: {why}") from error

    @contextmanager
    def _answered(self, *, is_data: bool = False) -> Iterator[None]:
        """Make every way in which a server may fail a NotSent, and begin anew after it."""
        try:
            yield
        except NotSent:
            self._reset()
            raise
        except smtplib.SMTPDataError as error:
            self._reset()
            raise _refusal("the message", error.smtp_code, error.smtp_error) from error
        except (OSError, smtplib.SMTPException) as error:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
            why = f"the connection to {self._account.host} was lost: {_why(error)}"
            raise (NotSent(why, is_unsure=True) if is_data else _ConnectionLost(why)) from error

    def _reset(self) -> None:
        """Let the server forget the mail that it has refused; without an answer it is lost."""
        if self._connection is None:
            return
        try:
            code, _ = self._connection.rset()
        except (OSError, smtplib.SMTPException):
            code = -1
        if code != 250:
            self._connection.close()
            self._connection = None


class _ConnectionLost(NotSent):
    """The server was gone before it had any of the message, as one is that waits no longer."""


def _own_name() -> str:
    """Return what EHLO says: the machine's full name, or an address where it has none."""
    name = socket.gethostname()
    is_full = "." in name and name.isascii() and name.replace("-", "").replace(".", "").isalnum()
    return name if is_full else "[127.0.0.1]"


def _refusal(what: str, code: int, said: bytes | str, *, is_unsure: bool = False) -> NotSent:
    why = f"{what} is refused: {_said(code, said)}"
    return NotSent(why, permanent=500 <= code < 600, is_unsure=is_unsure)


def _each(refused: dict[str, NotSent]) -> str:
    return "; ".join(str(why) for why in refused.values())


def _said(code: int, said: bytes | str) -> str:
    if isinstance(said, str):  # the library's own words: it reads no longer line
        return "with a line that has no end"
    text = said.decode("utf-8", "replace")
    shown = clean(" ".join(text.split()))[:_MOST_SAID]
    return f"{code} {shown}".strip() if code > 0 else _NO_SENSE


def _why(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answers {_said(error.smtp_code, error.smtp_error)}"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return clean(" ".join(text.split()))[:_MOST_SAID] or type(error).__name__
