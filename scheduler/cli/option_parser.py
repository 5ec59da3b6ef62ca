"""What an option takes: the typed text in, its value out, and the words for what it takes.

The library that parses options calls a parser, and knows no more of it; `help_page` and
`wrong_usage` ask it for words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from scheduler.errors import BadValue


@dataclass(frozen=True, slots=True)
class Parser:
    """How one option's value is read, in words `what` it may be, and its choices if it has some."""

    read: Callable[[str], Any]
    what: str
    choices: tuple[str, ...] = ()

    def offered(self, incomplete: str) -> list[str]:
        """Return the choices that begin so, which a shell offers."""
        return [choice for choice in self.choices if choice.startswith(incomplete)]

    def __call__(self, typed: object) -> Any:
        """Return the value; ValueError, of which the library makes wrong usage, if it is none."""
        try:
            return self.read(str(typed))
        except BadValue as bad:
            raise ValueError(bad.message) from bad


def one_of(kinds: type[Enum]) -> Parser:
    """Return what reads one of these words."""
    *words, last = (str(kind.value) for kind in kinds)
    return Parser(kinds, f"{', '.join(words)} or {last}", (*words, last))


def parser_of(parameter: Any) -> Parser | None:
    """Return an option's parser; None if the library reads it, or it is a switch."""
    read = getattr(parameter.type, "func", None)
    return read if isinstance(read, Parser) else None
