"""Where a message is written: this machine, its user, and the outputs of the runs that it is about.

A sender's process asks for it; the wording of a message is pure and is given it.
"""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.alerts import output_excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.alerts.channel import Place
    from scheduler.notice import AttemptFacts

_TOLD = 2000  # characters of an output


@dataclass(frozen=True, slots=True)
class Origin:
    """The names of the host and of the user, and what tells the end of an attempt's output."""

    host: str
    user: str
    output_of: Callable[[AttemptFacts], str]


def of_place(place: Place) -> Origin:
    """Return what there is here; a user without a name is told by their number."""
    return Origin(
        socket.gethostname(),
        _user(),
        lambda attempt: output_excerpt.tail(place.state / attempt.output, _TOLD, attempt.secrets),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13
        return "nobody"
