"""What stands behind a schedule in; whether its first `%` was meant for the command, out.

crontab(5): the first `%` ends the command, and what follows it is its standard input.
"""

from __future__ import annotations

import re

# A conversion of date(1) or printf(3) that is a word's end or goes on with no letter, an escape of
# a URL (RFC 3986, 2.1), a variable of curl's --write-out.
_FORMAT = re.compile(r"%(?:[-_0^#]?[YmdHMSsFTjyuwVNiZ](?![A-Za-z0-9])|\{)")
_ESCAPE = re.compile(r"%(?:2[0-9A-F]|3[A-F]|40|5[B-E]|7[B-D]|0[AD]|C3|E2)", re.IGNORECASE)
_LOOKED_BEFORE = 500  # characters in front of a % in which a program is looked for
_FORMATTER = re.compile(r"(?:^|[\s;|&(/])(?:date|printf|strftime)\s(?:[^;|&]*\s)?$")
_QUOTE_TOKEN = re.compile(
    r"""\\.?|\$\(\(|\$\(|\$\{|(?:^|(?<=[\s;|&(]))\#|["'`()}]|[^\\"'`$()}]|\$""",
    re.VERBOSE | re.DOTALL,
)
_CLOSES = {'"': '"', "`": "`", "$(": ")", "(": ")", "$((": ")", "${": "}"}
_OPENS = {'"': {"`", "$(", "$((", "${"}, "$((": {"`", "$(", "$((", "${", "("}}
_OPENS_ELSEWHERE = {*_CLOSES, "'"}


def doubt(before: str, after: str) -> str:
    """Return why a `%` between these two was hardly meant to end the command; "" if it may be.

    The shell gets what stands before it: something open there is never closed.
    """
    if opened := still_open(before):
        what = "the quote " if opened in "\"'`" else ""
        return f"and {what}{opened} is still open there"
    rest = "%" + after
    in_word = before[-1:].strip() != ""
    is_format = before.endswith("+") or _FORMAT.match(rest) or (in_word and _ESCAPE.match(rest))
    is_given = _FORMATTER.search(before[-_LOOKED_BEFORE:]) and after[:1].strip(" \t%")
    return "what follows is its standard input" if is_format or is_given else ""


def still_open(text: str) -> str:
    """Return what a shell would find open at the end: a quote, `$(`, `$((`, `${` or `(`; or ""."""
    opened: list[str] = []
    at = 0
    while at < len(text):
        if opened[-1:] == ["'"]:  # in which nothing else means anything
            at = text.find("'", at) + 1
            if not at:
                break
            opened.pop()
        elif token := _QUOTE_TOKEN.match(text, at):
            if token[0] == "#" and opened[-1:] != ['"']:
                break
            _turn(opened, token[0])
            at = token.end()
    return opened[-1] if opened else ""


def _turn(opened: list[str], mark: str) -> None:
    """Open or close what a mark opens or closes."""
    top = opened[-1] if opened else ""
    if mark == _CLOSES.get(top):
        opened.pop()
    elif mark in _OPENS.get(top, _OPENS_ELSEWHERE):
        opened += [mark] * (2 if mark == "$((" else 1)  # each bracket is closed by its own
