"""Anybody's title and text in, a notification whose words are safe to show out. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum

from scheduler.errors import NotifyError

TITLE_LIMIT = 200
TEXT_LIMIT = 2000
WORD_LIMIT = 1000  # of a tag or an icon

# Signs that reorder the letters around them: a title could be made to read as something else.
_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Urgency(StrEnum):
    """How much a notification may disturb: as the Desktop Notifications Specification has it."""

    LOW = "low"
    NORMAL = "normal"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Button:
    """A button below a notification, and for how many seconds somebody waits for it."""

    label: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Notification:
    """What is shown. One of the same `tag` takes the place of the one before; "" is none.

    `expire` is in seconds, 0 for ever, None as the desktop has it. `icon` is a name or an address.
    """

    title: str
    text: str = ""
    urgency: Urgency = Urgency.NORMAL
    tag: str = ""
    icon: str = ""
    expire: float | None = None
    button: Button | None = None


def safe(asked: Notification) -> Notification:
    """Return it with a title of one line, no control characters, and nothing too long.

    Raises NotifyError for a title that nobody could see.
    """
    title = cut(" ".join(plain(asked.title).split()), TITLE_LIMIT)
    if not title:
        raise NotifyError("A notification needs a title that can be seen.")
    text = cut(plain(asked.text), TEXT_LIMIT)
    return replace(asked, title=title, text=text, tag=_word(asked.tag), icon=_word(asked.icon))


def _word(text: str) -> str:
    return cut(" ".join(plain(text).split()), WORD_LIMIT)


def plain(text: str) -> str:
    """Return the text without what could command a terminal, or reorder what is around it."""
    return "".join(map(_visible, text)).strip()


def cut(text: str, limit: int) -> str:
    """Return the text, or so many of its letters, with a last one that says there were more."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _visible(letter: str) -> str:
    if letter in "\n\t":
        return letter
    if letter in _BIDI_OVERRIDES:
        return ""
    match unicodedata.category(letter):
        case "Cc":  # NUL ends an argument; ESC and the C1 letters command a terminal
            return ""
        case "Cs":  # half a character, as undecodable bytes become; no encoding takes it
            return "\ufffd"
        case "Zl" | "Zp":
            return "\n"
        case _:
            return letter
