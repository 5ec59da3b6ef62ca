"""The text of an alert's setting in, what it means out; anything else is a BadValue.

CRON_ALERT is a list of who is told, and of what: see AlertRule. The templates stay texts; their
names are those that `alerts/wording` fills in.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from scheduler.crontab import mail_variables
from scheduler.crontab.setting_values import pieces, whole
from scheduler.entry import AlertRule
from scheduler.errors import BadValue
from scheduler.redact import mask_named
from scheduler.suggestions import did_you_mean, nearest
from scheduler.text import shortened

# What a template may name: each is a fact of the notice, of the run or of where it happened.
TEMPLATE_NAMES = (
    *("job", "kind", "outcome", "reason", "run", "attempts", "count", "since", "scheduled"),
    *("host", "user", "command", "file", "line", "output"),
)

_ALERT_OPTIONS = ("after", "missed", "slow")
_SINGLE_WORDS = ("desktop", "mail", *_ALERT_OPTIONS, "none")
_EVERY_FORM = (
    "desktop, mail, mail:ADDRESS, @name, scheme://…, | COMMAND, after N, missed, slow, none"
)
_MOST_IN_A_ROW = 1000

_BAR = re.compile(r"(?:^|(?<=[\s,]))\|")
_NAMED_FILE = re.compile(r"@[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
# A name in braces. With a quote or a brace between them they are JSON, and stay as they are.
_IN_BRACES = re.compile(r"""\{([^{}"']*)\}""")


class _Piece(NamedTuple):
    """A word of the list, and where it begins."""

    at: int
    text: str


def rule(text: str) -> AlertRule:
    """Return who is told of what (`bad-alert`); `none` alone is nobody.

    Blanks or commas part the words; a command takes the rest of the line.
    """
    _refuse_unprintable(text)
    words, command = _words(text)
    if [word.text for word in words] == ["none"] and command is None:
        return AlertRule()
    targets: list[str] = []
    given: dict[str, int] = {}  # each option once, `after` with its number
    rest = iter(words)
    for word in rest:
        if word.text not in _ALERT_OPTIONS:
            targets.append(_target(word))
        elif word.text in given:
            raise _bad(word, "stands there twice", "leave one of them out")
        else:
            given[word.text] = _streak(word, next(rest, None)) if word.text == "after" else 1
    if command is not None:
        targets.append(command)
    if not targets:
        hint = f"write {text.strip()} and a target: desktop, mail, mail:ADDRESS, @name, | COMMAND"
        raise BadValue("bad-alert", f"{shortened(text)} says nobody who is told", hint=hint)
    return AlertRule(
        tuple(dict.fromkeys(targets)), given.get("after", 1), "missed" in given, "slow" in given
    )


def template(text: str) -> str:
    """Return a template as it stands (`bad-template`): `{name}` is a fact, a backslash n a line."""
    _refuse_unprintable(text)
    for found in _IN_BRACES.finditer(text):
        if found[1] not in TEMPLATE_NAMES:
            near = did_you_mean([f"{{{name}}}" for name in nearest(found[1], TEMPLATE_NAMES)])
            known = f"the names are {' '.join(TEMPLATE_NAMES)}"
            message = f"{shortened(found[0])} is no name of a template"
            hint = f"{near} {known}" if near else known
            raise BadValue("bad-template", message, offset=found.start(), hint=hint)
    return text


def _words(text: str) -> tuple[list[_Piece], str | None]:
    """Return the words of the list, and the command behind them, None without one."""
    bar = _BAR.search(text)
    if bar is None:
        return [_Piece(*piece) for piece in pieces(text)], None
    command = text[bar.end() :].strip()
    if not command:
        hint = "write | and a command, such as | /usr/local/bin/tell --loud"
        raise BadValue("bad-alert", "no command behind |", offset=bar.start(), hint=hint)
    front = text[: bar.start()].rstrip().removesuffix(",")
    return [_Piece(*piece) for piece in pieces(front)] if front.strip() else [], f"|{command}"


def _target(word: _Piece) -> str:
    text = word.text
    if text in ("desktop", "mail") or _NAMED_FILE.fullmatch(text) or _WITH_SCHEME.fullmatch(text):
        return text
    if text == "none":
        raise _bad(word, "is nobody, and others stand beside it", "leave the others out, or none")
    if text.startswith("mail:"):
        return _mail(word)
    raise _bad(word, "is no target and no option", _meant(text))


def _mail(word: _Piece) -> str:
    """Return `mail:ADDRESS` with an address that MAILTO would take (`bad-address`)."""
    address = word.text.removeprefix("mail:")
    found = mail_variables.addresses(address)
    for bad in found.bad:
        bad.offset += word.at + len(word.text) - len(address)
        raise bad
    if not found.good:
        raise _bad(word, "names no address", "such as mail:me@example.org, or mail for MAILTO")
    return word.text


def _streak(word: _Piece, number: _Piece | None) -> int:
    try:
        return whole(1, _MOST_IN_A_ROW)(number.text if number else "")
    except BadValue:
        text = f"after {number.text}" if number else "after"
        message = f"says no number of failures from 1 to {_MOST_IN_A_ROW}"
        raise _bad(_Piece(word.at, text), message, "such as after 3") from None


def _meant(text: str) -> str:
    """Return what to write instead of a word that nobody knows."""
    if near := did_you_mean(nearest(text, _SINGLE_WORDS, alike=0.7)):
        return near
    if "@" in text[1:] and mail_variables.addresses(text).good:
        return f"write mail:{text}"
    if text.startswith(("/", "./", "~/", "-")):
        return "a command stands behind a bar, at the end: | /usr/local/bin/tell --loud"
    return f"one of {_EVERY_FORM}; in an address with a scheme a comma is %2C"


def _bad(word: _Piece, why: str, hint: str) -> BadValue:
    shown = shortened(mask_named("CRON_ALERT", word.text))
    return BadValue("bad-alert", f"{shown} {why}", offset=word.at, hint=hint)


def _refuse_unprintable(text: str) -> None:
    at = next((at for at, char in enumerate(text) if not char.isprintable() and char != "\t"), None)
    if at is not None:
        message = f"{shortened(text[at])} is no character that can be shown"
        raise BadValue("unprintable", message, offset=at, hint="leave it out; \\n is a new line")
