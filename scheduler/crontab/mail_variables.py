"""The text of MAILTO and its kin in, addresses and a type out; what is wrong in them is a BadValue.

As cron(8) and cronie read them: a list with commas, of letters, digits and a few signs, of which
none is an option to a mailer or a sign to a shell. Letters of other scripts may be in it: RFC 6531.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from scheduler.errors import BadValue
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAILTO, MAILFROM, CONTENT_TYPE = "MAILTO", "MAILFROM", "CONTENT_TYPE"
_TRANSFER_ENCODING = "CONTENT_TRANSFER_ENCODING"
MAIL_NAMES = frozenset({MAILTO, MAILFROM, CONTENT_TYPE, _TRANSFER_ENCODING})

# What `$NAME` in MAILTO and MAILFROM may name, as in cronie. A sender knows them; here they stand
# for themselves, so that the rest of the address is judged.
ANYBODY = MappingProxyType({"USER": "user", "LOGNAME": "user", "HOSTNAME": "host"})

_ADDRESS_SIGNS = frozenset("@!%-._+")
_LONGEST_PATH = 254  # bytes of a path in SMTP, without its <>: RFC 5321, 4.5.3.1.3
_LONGEST_LOCAL_PART = 64  # of them in front of the @
_MAIL_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
_CHARSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]*")
_PLAIN_ENCODINGS = frozenset({"7bit", "8bit", "binary"})
# Text encodings of Python that no program writes in.
_NO_CHARSETS = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})
_SET_HINT = "letters, digits and @ ! % - . _ +, the first one a letter or a digit"


class MailAddresses(NamedTuple):
    """The addresses of a list, each once, and what is wrong with its others.

    `written` are the good ones as they stand in the list, their `$NAME`s not yet replaced.
    """

    good: tuple[str, ...]
    bad: tuple[BadValue, ...]
    written: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContentType:
    """How a job's output is to be read: `charset` is one that Python knows."""

    is_html: bool = False
    charset: str = "utf-8"


def addresses(text: str, known: Mapping[str, str] = ANYBODY) -> MailAddresses:
    """Return who is named by a MAILTO; offsets are in `text`, code `bad-address`.

    `known` are the values of `$USER` and its kin. Blanks round a comma are left out.
    """
    good: dict[str, str] = {}
    bad: list[BadValue] = []
    for at, piece in _pieces(text):
        try:
            good.setdefault(_address(piece, at, known), piece)
        except BadValue as wrong:
            bad.append(wrong)
    if not good and not bad and text:
        bad.append(BadValue("bad-address", "no address", hint='write MAILTO="" for no mail'))
    return MailAddresses(tuple(good), tuple(bad), tuple(good.values()))


def sender(text: str, known: Mapping[str, str] = ANYBODY) -> str:
    """Return the one address of a MAILFROM; raises BadValue `bad-address`."""
    if "," in text:
        message = f"{shortened(text)} is a list, and a mail has one sender"
        raise BadValue("bad-address", message, offset=text.index(","), hint="leave one address")
    try:
        return _address(text.strip(), len(text) - len(text.lstrip()), known)
    except BadValue as bad:
        if len(text.split()) > 1 or ";" in text:
            bad.hint = "a mail has one sender: leave one address, without a name beside it"
        raise


def content_type(text: str) -> ContentType:
    """Return how a CONTENT_TYPE has the output read; raises BadValue `bad-content-type`.

    `text/plain` and `text/html` are taken, and of their parameters `charset`.
    """
    kind, *parameters = text.split(";")
    kind = kind.strip().lower()
    if kind not in ("text/plain", "text/html"):
        hint = "text/plain or text/html, such as text/plain; charset=ISO-8859-1"
        raise BadValue("bad-content-type", f"{shortened(kind)} is no type of a mail", hint=hint)
    charset = "utf-8"
    at = text.find(";") + 1
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip().lower() == "charset":
            charset = _charset(value.strip().strip('"'), at)
        at += len(each) + 1
    return ContentType(kind == "text/html", charset)


def doubts(name: str, value: str) -> list[BadValue]:
    """Return what is wrong with the value of one of MAIL_NAMES, as sentences for its writer."""
    if not value:
        return []
    try:
        match name:
            case "MAILTO":
                return [_no_mail(bad) for bad in addresses(value).bad]
            case "MAILFROM":
                sender(value)
            case "CONTENT_TYPE":
                content_type(value)
            case _:
                return _encoding(value)
    except BadValue as bad:
        instead = "the user" if name == MAILFROM else "plain text in UTF-8"
        message = f"{bad.message}: it is {instead}"
        return [BadValue(bad.code, message, offset=bad.offset, hint=bad.hint)]
    return []


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield what stands between the commas and is not blank, and where it begins."""
    at = 0
    for piece in text.split(","):
        if piece.strip():
            yield at + len(piece) - len(piece.lstrip()), piece.strip()
        at += len(piece) + 1


def _address(piece: str, at: int, known: Mapping[str, str]) -> str:
    """Return one address, its `$NAME`s replaced; raises BadValue."""
    for named in _MAIL_VARIABLE.finditer(piece):
        if (named[1] or named[2]) not in known:
            hint = f"only {', '.join(f'${name}' for name in known)} are replaced in an address"
            message = f"{shortened(named[0])} is not known here"
            raise BadValue("bad-address", message, offset=at + named.start(), hint=hint)
    text = _MAIL_VARIABLE.sub(lambda named: known[named[1] or named[2]], piece)
    wrong = next((offset for offset, char in enumerate(text) if not _is_safe(char, offset)), None)
    if wrong is not None:
        offset = at + (wrong if text == piece else 0)
        message = f"{shortened(text)} is no address that a mailer may be given"
        raise BadValue("bad-address", message, offset=offset, hint=_hint(text))
    if not _is_whole(text):
        message = f"{shortened(text)} is no whole address"
        raise BadValue("bad-address", message, offset=at, hint="such as me@example.org, or root")
    return text


def _is_safe(char: str, offset: int) -> bool:
    if char.isascii():
        return char.isalnum() or (offset > 0 and char in _ADDRESS_SIGNS)
    return unicodedata.category(char)[0] in ("L", "N", "M")


def _is_whole(text: str) -> bool:
    """Say whether it has a name and, behind at most one @, a domain: RFC 5321, 4.1.2."""
    name, at, domain = text.partition("@")
    labels = domain.split(".") if at else []
    return (
        all(name.split("."))
        and all(label.strip("-") == label != "" and "@" not in label for label in labels)
        and len(name.encode()) <= _LONGEST_LOCAL_PART
        and len(text.encode()) <= _LONGEST_PATH
    )


def _hint(text: str) -> str:
    if text == "/dev/null":
        return 'write MAILTO="" for no mail'
    if text.startswith("|"):
        return "a command hears of a failure by CRON_ALERT=| command"
    if ";" in text or " " in text:
        return "put commas between addresses"
    return _SET_HINT


def _no_mail(bad: BadValue) -> BadValue:
    return BadValue(
        bad.code, f"{bad.message}: no mail goes there", offset=bad.offset, hint=bad.hint
    )


def _charset(name: str, at: int) -> str:
    try:
        found = codecs.lookup(name).name if _CHARSET_NAME.fullmatch(name) else ""
        b" ".decode(found or "undefined", "backslashreplace")
    except (LookupError, ValueError):
        found = ""
    if not found or found in _NO_CHARSETS:
        message = f"{shortened(name)} is no charset that is known"
        raise BadValue("bad-content-type", message, offset=at, hint="such as charset=utf-8")
    return found


def _encoding(value: str) -> list[BadValue]:
    if value.strip().lower() in _PLAIN_ENCODINGS:
        return []
    message = f"{_TRANSFER_ENCODING} has no effect: a mail is encoded as its text needs it"
    return [BadValue("no-effect", message, hint="leave it out; output is sent as the job wrote it")]
