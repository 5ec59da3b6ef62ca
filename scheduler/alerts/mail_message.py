"""Notices and who is to get them in, one mail out: RFC 5322, as bytes that any mailer may be given.

What a crontab, a job or a host says is text in it and never a header: each header is set once, by
name, from one line without control characters. A mail has lines of at most 78 characters, of ASCII;
only a header that begins with a long word has a longer one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import TYPE_CHECKING

from scheduler import codec
from scheduler.alerts import message_origin, output_mail, wording
from scheduler.alerts.output_mail import MailBody
from scheduler.crontab import mail_variables
from scheduler.crontab.mail_variables import ContentType
from scheduler.errors import BadValue
from scheduler.notice import Kind
from scheduler.printable import clean, screened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scheduler.alerts.channel import Place
    from scheduler.notice import Delivery, Notice

SENDER_NAME = "Cron Daemon"  # as in cron, so that a reader's filters go on to work
_LONGEST_MAIL = 100_000  # characters of text
_LONGEST_PLAIN_LINE = 900  # bytes of a line that goes as it is; SMTP takes 998: RFC 5322, 2.1.1
_LONGEST_HEADER = 200  # characters of a text in one
_LONGEST_HOST = 255  # of a name: RFC 5321, 4.5.3.1.2


@dataclass(frozen=True, slots=True)
class MailHead:
    """Who sends a mail to whom, when, and as whom on which machine."""

    sender: str
    recipients: tuple[str, ...]
    at: datetime
    user: str
    host: str


class _SmtpPolicy(EmailPolicy):
    """The library's policy for SMTP, by which the first line of a header is never an empty one.

    A long word would be put on the next line, and some readers take that blank into the subject.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """See the library."""
        folded: bytes = super().fold_binary(name, value)
        first, fold, rest = folded.partition(b"\r\n ")
        is_empty = bool(fold) and first.rstrip() == f"{name}:".encode()
        return b" ".join((first.rstrip(), rest)) if is_empty else folded


def compose(delivery: Delivery, head: MailHead, place: Place) -> EmailMessage:
    """Return the mail that tells of a delivery's notices; outputs are read from their files.

    The same notices have the same Message-ID, so that whoever gets them twice can tell.
    """
    notices = delivery.notices
    subject, body = _told(delivery, head, place)
    message = _headed(head, subject, _identity(notices, head.host))
    if len(notices) == 1:
        facts = notices[0].facts
        message["X-Meridian-Job"] = _one_line(facts.job)
        if facts.run is not None:
            message["X-Meridian-Run"] = str(facts.run)
    message["X-Meridian-Kind"] = ", ".join(sorted({notice.kind.value for notice in notices}))
    _fill(message, body)
    return message


def test_mail(head: MailHead, text: str) -> EmailMessage:
    """Return a mail that shows that mail arrives; each is one of its own."""
    identity = hashlib.sha256(f"{head.at}{head.recipients}".encode()).hexdigest()[:32]
    message = _headed(head, f"Meridian on {head.host}: mail works", identity)
    _fill(message, MailBody(text))
    return message


def content_of(notice: Notice) -> ContentType:
    """Return how the job's output is to be read; a CONTENT_TYPE that is no good is as none."""
    try:
        if notice.content_type:
            return mail_variables.content_type(notice.content_type)
    except BadValue:
        pass  # `check` has warned
    return ContentType()


def _told(delivery: Delivery, head: MailHead, place: Place) -> tuple[str, MailBody]:
    """Return subject and body: one output as in cron, all else in the words of any message."""
    first = delivery.notices[0]
    if first.kind is not Kind.OUTPUT or len(delivery.notices) > 1:
        message = wording.message(delivery, message_origin.of_place(place))
        return message.subject, MailBody(message.text)
    subject = output_mail.subject(first.facts, head.user, head.host)
    body = output_mail.body(first, place.state, content_of(first))
    if not delivery.is_repeat:
        return subject, body
    repeated = f"{wording.REPEATED}\n\n"
    if body.html and not body.text:
        return subject, MailBody("", output_mail.as_html(repeated) + body.html)
    return subject, MailBody(repeated + body.text, body.html)


def _headed(head: MailHead, subject: str, identity: str) -> EmailMessage:
    """Return a mail with all its headers but those of its body.

    Where an address has letters beyond ASCII the headers are in UTF-8 (RFC 6532), else ASCII.
    """
    is_ascii = f"{head.sender}{''.join(head.recipients)}".isascii()
    policy = _SmtpPolicy(linesep="\r\n", cte_type="7bit", utf8=not is_ascii)
    message = EmailMessage(policy)
    message["From"] = _address(head.sender, SENDER_NAME)
    message["To"] = tuple(_address(each) for each in head.recipients)
    message["Subject"] = _one_line(subject)
    message["Date"] = format_datetime(head.at)
    message["Message-ID"] = f"<{identity}@{_domain(head.host)}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers it by itself
    message["Precedence"] = "bulk"  # the same, for who is older than that
    return message


def _address(text: str, name: str = "") -> Address:
    user, _, domain = text.partition("@")
    return Address(name, user, domain)


def _domain(host: str) -> str:
    """Return a machine's name as a Message-ID may have it: RFC 5322, 3.2.3."""
    is_plain = host.isascii() and host.replace("-", "").replace(".", "").isalnum()
    return host if is_plain and all(host.split(".")) and len(host) <= _LONGEST_HOST else "localhost"


def _identity(notices: Sequence[Notice], host: str) -> str:
    told = [
        (each.target, each.kind, each.at.isoformat(), codec.encode(each.facts)) for each in notices
    ]
    return hashlib.sha256(json.dumps((host, told)).encode()).hexdigest()[:32]


def _one_line(text: str) -> str:
    """Return a text as a header may have it: no control characters, and not too long.

    The email library decodes what looks like an encoded word (RFC 2047), a line end in it too, and
    writes it so: `=?utf-8?q?x=0D=0ABcc:_a@b?=` in a command would be a header. A blank parts it.
    """
    line = clean(" ".join(text.split()))
    if "?=" in line:
        line = line.replace("=?", "= ?")
    return line if len(line) <= _LONGEST_HEADER else f"{line[: _LONGEST_HEADER - 1]}…"


def _fill(message: EmailMessage, body: MailBody) -> None:
    """Put the body in: plain text, HTML, or one after the other."""
    if not body.html or body.text:
        _set(message, body.text, "plain")
    if not body.html:
        return
    if body.text:
        message.add_attachment(body.html, "html", cte="quoted-printable", disposition="inline")
    else:
        _set(message, body.html, "html")


def _set(message: EmailMessage, text: str, subtype: str) -> None:
    """Put a text in as it is, if all servers take it so; else as quoted-printable: RFC 2045."""
    safe = screened(text[:_LONGEST_MAIL])
    longest = max(map(len, safe.split("\n")))
    is_plain = safe.isascii() and longest <= _LONGEST_PLAIN_LINE
    message.set_content(safe, subtype, cte="7bit" if is_plain else "quoted-printable")
