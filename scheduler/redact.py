"""Commands, variables and texts in, the same with stars for what looks like a secret out.

What a person may see goes through one of these, and is cut to a length behind it, never before:

| what | by |
| --- | --- |
| what a run is told of by: its output, an error, the subject and text of a message | `text` |
| a command, or a text that belongs to no entry | `mask` |
| the value of a setting or variable; an alert's target, as one of CRON_ALERT | `mask_named` |
| an address of an alert or a ping: all but its host may be a key | `mask_addresses` |
| variables | `masked` |

Every `mask…` keeps every other character in its place, so that a caret still points at its column,
and a starred value keeps its quotes. `text` writes `***` for each of the entry's own secrets,
however long, wherever it stands.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from scheduler import secret_forms as forms
from scheduler.secret_forms import is_secret
from scheduler.secret_words import inside, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduler.entry import Entry, Environment

MASK = "***"
LONGEST_MASKED = 20_000  # characters that are looked at; what follows them is all stars
SHORTEST_SECRET = 4  # characters; a text would be stars all over for a shorter value
_SHORT_VALUE = 8  # characters; a value below it counts only as a word of its own


def masked(environment: Environment) -> dict[str, str]:
    """Return the variables, secret values as `***`; of a name set twice the last value.

    In values of other names what looks like a secret is stars: the password of a URL.
    """
    return {
        name: MASK if is_secret(name) else mask_named(name, value) for name, value in environment
    }


def mask_named(name: str, value: str) -> str:
    """Return the value of a variable or setting, each of its characters in its place."""
    if is_secret(name):
        return mask_value(value, 0)
    if not forms.ADDRESS_NAME.fullmatch(name):
        return mask(value)
    # Whoever forgot the scheme of a ping has no address for us, but still wrote a key.
    is_bare = "PING" in name and "/" in value and "://" not in value
    return mask_value(value, 0) if is_bare else mask(mask_addresses(value))


def mask(text: str) -> str:
    """Return the text of a command with stars for whatever in it looks like a secret."""
    if not _may_have_secrets(text):
        return text  # as most do not
    head, tail = text[:LONGEST_MASKED], "*" * (len(text) - LONGEST_MASKED)
    return _starred(head, secrets_in(head)) + tail


def mask_addresses(text: str) -> str:
    """Return the text with stars for what of its addresses may be their key.

    Of a web address its host stays, of any other its scheme: an alert's `slack://…` is all key.
    """
    return _starred(text, (found.span("secret") for found in forms.ADDRESS.finditer(text)))


def mask_target(target: str) -> str:
    """Return the target of an alert or a ping as a person may see it."""
    return mask(mask_addresses(target))


def mask_value(text: str, begin: int) -> str:
    """Return the text with stars from `begin` on, but for the quotes of that value."""
    return _starred(text, inside(text, begin, len(text)))


def text(entry: Entry | None, told: str) -> str:
    """Return what is told of a run, `***` for its job's own secrets and stars for what looks so.

    `entry` is None where no crontab has the job any more. Lines stay lines.
    """
    for secret in () if entry is None else secrets_of(entry):
        told = secret.sub(MASK, told)
    told = forms.PRIVATE_KEY.sub(rf"\1{MASK}", told)
    return "\n".join(map(mask, told.split("\n"))) if _may_have_secrets(told) else told


def secrets_of(entry: Entry) -> list[re.Pattern[str]]:
    """Return what an entry's own secrets look like in a text, the longest first.

    They are the values of its variables with secret names, and what is starred in its other
    variables, its command, and its standard input; also as a URL or JSON would write them.
    """
    found = {value for name, value in entry.environment if is_secret(name)}
    plain = (value for name, value in entry.environment if not is_secret(name))
    for each in (entry.command, entry.stdin or "", *plain):
        if _may_have_secrets(each):
            found.update(each[begin:end] for begin, end in secrets_in(each[:LONGEST_MASKED]))
    values = {value.strip() for value in found}
    return [
        _pattern(value)
        for value in sorted(values, key=len, reverse=True)
        if len(value) >= SHORTEST_SECRET and not forms.PLAIN_VALUE.fullmatch(value)
    ]


def _pattern(value: str) -> re.Pattern[str]:
    raw = value.encode("utf-8", "surrogateescape")
    ways = {value, quote(raw, safe=""), quote(raw), quote_plus(raw), json.dumps(value)[1:-1]}
    every = "|".join(map(re.escape, sorted(ways, key=len, reverse=True)))
    return re.compile(rf"(?<!\w)(?:{every})(?!\w)" if len(value) < _SHORT_VALUE else every)


def _may_have_secrets(text: str) -> bool:
    lowered = text.lower()
    return any(hint in lowered for hint in forms.SECRET_HINTS)


def _starred(text: str, spans: Iterable[tuple[int, int]]) -> str:
    shown = list(text)
    for begin, end in spans:
        shown[begin:end] = "*" * (end - begin)
    return "".join(shown)
