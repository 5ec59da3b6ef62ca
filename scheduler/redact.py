"""Commands, variables and texts in, the same with stars for what looks like a secret out.

What a person may see goes through one of these, and is cut to a length behind it, never before:

| what | by |
| --- | --- |
| what a run is told of by: its output, an error, the subject and text of a message | `text` |
| the same by a process that has no crontab | `text`, with the fingerprints of a notice |
| a command, or a text that belongs to no entry; a command of an entry | `mask`; `mask_command` |
| what became of an alert | `mask_error`, with its target |
| what tells of a line that is shown starred | `also_starred`, with that line |
| the value of a setting or variable; an alert's target, as one of CRON_ALERT | `mask_named` |
| an address of an alert or a ping: all but its host may be a key | `mask_addresses` |
| variables | `masked` |

What is a secret at one place of a line is starred wherever it stands in it, as a word of its own if
it is short. Every `mask…` keeps every other character in its place, so that a caret still points at
its column, and a starred value keeps its quotes. `text` writes `***` for each of the entry's own
secrets, however long, wherever it stands; of a line that is very long it finds all secrets but the
longest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scheduler import own_secrets
from scheduler import secret_forms as forms
from scheduler.printable import clean
from scheduler.secret_forms import is_secret
from scheduler.secret_words import inside, secrets_in, secrets_in_pieces

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduler.entry import Entry, Environment
    from scheduler.notice import Recipient

MASK = "***"
_STARS = re.compile(r"\*+")
# Characters that are looked at together; what follows them in a command is all stars.
LONGEST_MASKED = 20_000


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
    if is_bare:
        return mask_value(value, 0)
    targets = value.partition("|")[0]  # a command stands behind it
    nearly = (found.span("secret") for found in forms.NEARLY_ADDRESS.finditer(targets))
    return also_starred(mask(mask_addresses(_starred(value, nearly))), value)


def mask(text: str) -> str:
    """Return the text of a command with stars for whatever in it looks like a secret."""
    if not forms.may_have_secrets(text):
        return text  # as most do not
    head, tail = text[:LONGEST_MASKED], "*" * (len(text) - LONGEST_MASKED)
    return also_starred(_starred(head, secrets_in(head)), head) + tail


def mask_addresses(text: str) -> str:
    """Return the text with stars for what of its addresses may be their key.

    Of a web address its host stays, of any other its scheme: an alert's `slack://…` is all key.
    """
    return _starred(text, (found.span("secret") for found in forms.ADDRESS.finditer(text)))


def shown_recipient(recipient: Recipient) -> str:
    """Return a target as `mask_target` has it, and whose it is if not the daemon's own user's."""
    target = clean(mask_target(recipient.target))
    return target if recipient.user is None else f"{target} of {clean(recipient.user)}"


def mask_target(target: str) -> str:
    """Return the target of an alert or a ping as a person may see it."""
    return also_starred(mask(mask_addresses(target)), target)


def mask_error(error: str, target: str) -> str:
    """Return what a target's refusal says, without the secrets that the target has."""
    return also_starred(mask(error), target, mask_target(target))


def mask_command(entry: Entry) -> str:
    """Return the entry's command, with stars for its variables' secrets, too."""
    return _stars_for(own_secrets.of_entry(entry), mask(entry.command))


def also_starred(told: str, whole: str, shown: str | None = None) -> str:
    """Return a text with stars for each secret of another text `whole`.

    They are what is stars in it as it is `shown`; which is `told` itself, unless it is given.
    """
    shown = told if shown is None else shown
    spans = (stars.span() for stars in _STARS.finditer(shown))
    found = {whole[begin:end] for begin, end in spans if end - begin <= LONGEST_MASKED}
    return _stars_for(own_secrets.worth_hiding(found), told)


def _stars_for(values: Iterable[str], told: str) -> str:
    for value in values:
        if own_secrets.may_be_in(told, value):
            told = own_secrets.pattern(value).sub(lambda found: "*" * len(found[0]), told)
    return told


def mask_value(text: str, begin: int) -> str:
    """Return the text with stars from `begin` on, but for the quotes of that value."""
    return _starred(text, inside(text, begin, len(text)))


def text(entry: Entry | None, told: str, fingerprints: Iterable[str] = ()) -> str:
    """Return what is told of a run, `***` for its job's own secrets and stars for what looks so.

    `entry` is None where no crontab has the job any more, or the one who tells has none; then
    `fingerprints` may say what its secrets are known by. Lines stay lines.
    """
    if entry is not None:
        for value in own_secrets.of_entry(entry):
            told = own_secrets.pattern(value).sub(MASK, told)
    told = own_secrets.masked_by(fingerprints, told, MASK)
    told = forms.PRIVATE_KEY.sub(rf"\1{MASK}", told)
    return "\n".join(map(_masked_line, told.split("\n"))) if forms.may_have_secrets(told) else told


def _masked_line(line: str) -> str:
    if len(line) <= LONGEST_MASKED or not forms.may_have_secrets(line):
        return mask(line)
    return also_starred(_starred(line, secrets_in_pieces(line, LONGEST_MASKED)), line)


def _starred(text: str, spans: Iterable[tuple[int, int]]) -> str:
    shown = list(text)
    for begin, end in spans:
        shown[begin:end] = "*" * (end - begin)
    return "".join(shown)
