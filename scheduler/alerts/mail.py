"""The channel of mail: deliveries in, mails sent by SMTP or sendmail out.

If there is an account file, it is the way; else the machine's sendmail. With neither, no mail can
be sent, and the error says both ways.
"""

from __future__ import annotations

import os
import pwd
import socket
from collections import defaultdict
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.alerts import mail_account, mail_message, sendmail
from scheduler.alerts.channel import RESULT_WITHIN, NotSent
from scheduler.alerts.mail_message import MailHead
from scheduler.alerts.smtp import SmtpServer
from scheduler.crontab import mail_variables
from scheduler.errors import BadValue
from scheduler.notice import Delivery, Kind, Notice, Result
from scheduler.system.background import within
from scheduler.system.clock import RealClock
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from email.message import EmailMessage

    from scheduler.alerts.channel import Place
    from scheduler.alerts.mail_account import MailAccount

MOST_SINGLE = 20  # outputs of a delivery that are a mail each; more are one mail that lists them
# Recipients that are refused for now keep the others waiting for so long, and then no more.
_WAIT_FOR_ALL = timedelta(hours=1)
_SECONDS_FOR_DELIVERY = 0.8 * RESULT_WITHIN  # for all mails of a delivery, which has one result


def send(deliveries: Sequence[Delivery], place: Place) -> Iterator[Result]:
    """Send these, by one connection, and yield each result as soon as it is known."""
    try:
        mailer = Mailer(place)
    except NotSent as error:
        yield from (error.result(each.number) for each in deliveries)
        return
    with closing(mailer):
        for delivery in deliveries:
            yield _result(delivery, mailer)


def send_test(address: str, place: Place) -> Result:
    """Send a mail that shows that mail arrives, as `meridian doctor --mail ADDRESS` asks.

    `address` is as in MAILTO: a list, or "" for the user. The result's `error` is "" if a server or
    the machine's mailer has taken the mail; else a sentence with what to do. It never raises, and
    takes at most a minute. `way` says by which way it goes.
    """
    number = 0
    try:
        with closing(Mailer(place)) as mailer:
            mailer.deliver_test(address)
    except NotSent as error:
        return error.result(number)
    return Result(number)


def way(place: Place) -> str:
    """Return by which way mail goes, as a person reads it; raises NotSent where there is none."""
    account = mail_account.read(place)
    if account is None:
        return _sendmail(place)
    as_whom = f" as {account.user}" if account.user else " without a login"
    how = "in clear" if account.tls is mail_account.Encryption.NONE else f"by {account.tls.upper()}"
    return f"{account.host} port {account.port}, {how},{as_whom} ({account.file})"


class Mailer:
    """The way of all mails of one batch.

    Owns the connection to the account's server, if there is one; `close` ends it. `send` and
    `send_test` make one. Invariant: it is one way for all of them, chosen at the beginning.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._account = mail_account.read(place)
        self._program = "" if self._account else _sendmail(place)
        self._server = SmtpServer(self._account) if self._account else None
        self._known = _known()
        self._clock = RealClock()

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._server is not None:
            self._server.close()

    def deliver(self, delivery: Delivery, limit: TimeLimit) -> None:
        """Send one mail that tells of these notices, which have one target; NotSent."""
        first = delivery.notices[0]
        to = delivery.target.removeprefix("mail").removeprefix(":") or first.mail_to
        head, refused = self._head(to, first.mail_from)
        message = mail_message.compose(delivery, head, self._place)
        oldest = min(notice.at for notice in delivery.notices)
        self._send(message, head, limit, waits_for_all=head.at - oldest < _WAIT_FOR_ALL)
        if refused is not None:
            why = f"sent to {', '.join(head.recipients)}, but {refused}"
            raise NotSent(why, permanent=True) from refused

    def deliver_test(self, address: str) -> None:
        """Send a mail that says that mail arrives; NotSent."""
        head, refused = self._head(address, "")
        text = (
            f"This mail was asked for by `meridian doctor --mail` on {head.host}, as {head.user}.\n"
            f"It went by {way(self._place)}.\n"
        )
        self._send(mail_message.test_mail(head, text), head, TimeLimit(_SECONDS_FOR_DELIVERY))
        if refused is not None:
            raise refused

    # --- who -------------------------------------------------------------------------------------

    def _head(self, to: str, mail_from: str) -> tuple[MailHead, NotSent | None]:
        """Return the head of a mail, and why some are left out of it; NotSent if all are."""
        recipients, refused = self._recipients(to)
        if refused is not None and not recipients:
            raise refused
        known = self._known
        at = self._clock.now()
        sender = self._sender(mail_from)
        return MailHead(sender, recipients, at, known["USER"], known["HOSTNAME"]), refused

    def _recipients(self, to: str) -> tuple[tuple[str, ...], NotSent | None]:
        """Return addresses, whole ones as far as the way needs that, and why not all of them."""
        account = self._account
        named = to or (account.to if account else "") or self._known["USER"]
        found = mail_variables.addresses(named, self._known)
        refused = None
        if not found.good:
            refused = NotSent(f"{named}: {found.bad[0].message}", permanent=True)
        whole = []
        for each in found.good:
            try:
                whole.append(_whole(each, account) if account else each)
            except NotSent as error:
                refused = refused or error
        return tuple(whole), refused

    def _sender(self, mail_from: str) -> str:
        """Return whom the mail is from: MAILFROM, or the account's, or the user."""
        account = self._account
        try:
            if mail_from:
                return mail_variables.sender(mail_from, self._known)
        except BadValue:
            pass  # `check` has warned
        if account is None:
            return self._known["USER"]
        login = account.user if "@" in account.user else ""
        host = account.domain or self._known["HOSTNAME"]
        return account.sender or login or f"{self._known['USER']}@{host}"

    # --- how -------------------------------------------------------------------------------------

    def _send(
        self, message: EmailMessage, head: MailHead, limit: TimeLimit, *, waits_for_all: bool = True
    ) -> None:
        data, server = message.as_bytes(), self._server
        if limit.is_over():
            raise NotSent("there was no time left for it; it goes with the next ones")
        if server is None:
            sender = "" if head.sender == self._known["USER"] else head.sender
            lines = data.replace(b"\r\n", b"\n")  # to a program a line ends as lines end here
            sendmail.send(self._program, lines, sender, self._place.environ, limit)
            return
        to = head.recipients
        try:
            within(
                limit.left(),
                lambda: server.send(data, head.sender, to, waits_for_all=waits_for_all),
                "the mail server",
            )
        except TimeoutError:
            why = f"the server has not taken the mail within {limit.seconds:g} s"
            raise server.give_up(why) from None


def _result(delivery: Delivery, mailer: Mailer) -> Result:
    """Send a delivery's mails, in the order of its notices.

    What is wrong for now may be so for all, so that the rest waits with the first that is not
    taken. A mail that is refused for good keeps no other from being sent.
    """
    limit = TimeLimit(_SECONDS_FOR_DELIVERY)
    taken: set[int] = set()
    refused: NotSent | None = None
    for numbers in _mails(delivery.notices):
        some = tuple(delivery.notices[number] for number in numbers)
        try:
            mailer.deliver(replace(delivery, notices=some), limit)
        except NotSent as error:
            if not error.permanent:
                return error.result(delivery.number, sent=tuple(sorted(taken)))
            refused = refused or error
        else:
            taken.update(numbers)
    if refused is None:
        return Result(delivery.number)
    return Result(delivery.number, str(refused), permanent=True, sent=tuple(sorted(taken)))


def _mails(notices: Sequence[Notice]) -> list[list[int]]:
    """Return the numbers of the notices of each mail, in the order of their first ones.

    An output is a mail of its own, unless there are too many; all else goes together.
    """
    outputs = sum(notice.kind is Kind.OUTPUT for notice in notices)
    together: dict[object, list[int]] = defaultdict(list)
    for number, notice in enumerate(notices):
        is_output = notice.kind is Kind.OUTPUT
        is_single = is_output and outputs <= MOST_SINGLE
        together[number if is_single else (is_output, notice.mail_from)].append(number)
    return list(together.values())


def _sendmail(place: Place) -> str:
    """Return the path of sendmail; NotSent, for good, where there is no way at all."""
    program = sendmail.find(place.environ, sendmail.MAILERS)
    if program is None:
        account = place.config / mail_account.ACCOUNT_FILE
        why = f"there is no way to send mail: neither a sendmail program nor {account}"
        raise NotSent(f"{why}; install a mailer, or write that file", permanent=True)
    return program


def _known() -> Mapping[str, str]:
    """Return what `$USER` and its kin stand for in an address."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return {"USER": user, "LOGNAME": user, "HOSTNAME": socket.gethostname()}


def _whole(address: str, account: MailAccount) -> str:
    """Return an address that a server elsewhere understands: not the name of a local user."""
    name, _, domain = address.partition("@")
    if domain:
        return address if domain.isascii() or not name.isascii() else f"{name}@{_in_ascii(domain)}"
    if account.domain:
        return f"{name}@{account.domain}"
    if mail_account.is_loopback(account.host):
        return name
    why = f"{name} is a user of this machine, and {account.host} is another one"
    hint = f"write MAILTO={name}@example.org, or domain = … in {account.file}"
    raise NotSent(f"{why}; {hint}", permanent=True)


def _in_ascii(domain: str) -> str:
    """Return the name that DNS has for a domain, which needs no SMTPUTF8: RFC 3490."""
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain
