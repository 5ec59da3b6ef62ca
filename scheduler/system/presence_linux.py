"""What the parts of a Linux desktop say about its user: screen savers, session managers, logind.

Each is asked as its own documents have it, and only if it runs: nothing is started for a question.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from scheduler.errors import NotifyError
from scheduler.system import desktop_session, helper_program, session_bus
from scheduler.system.clock import RealClock
from scheduler.system.desktop_session import LOGIND
from scheduler.system.presence_sources import (
    DO_NOT_DISTURB,
    KEPT_ON,
    SCREEN_LOCKED,
    Asked,
    PresenceAnswer,
)
from scheduler.system.session_bus import BusObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scheduler.system.desktop_session import Desktop
    from scheduler.system.session_bus import Bus
    from scheduler.system.time_limit import TimeLimit

    _Question = Callable[[TimeLimit], float | None]

_SAVERS = ("freedesktop", "gnome", "cinnamon", "mate", "xfce")  # of org.*.ScreenSaver
_SERVER_NAME = "org.freedesktop.Notifications"
_SERVER = BusObject(_SERVER_NAME, "/org/freedesktop/Notifications")
_DUNST = BusObject(_SERVER_NAME, "/org/freedesktop/Notifications", "org.dunstproject.cmd0")
_MANAGER = BusObject(LOGIND, "/org/freedesktop/login1", f"{LOGIND}.Manager")


@dataclass(frozen=True, slots=True)
class _BusQuestion:
    """A method, or a property, of an object on the session bus, and what a yes of it means."""

    target: BusObject
    method: str = ""
    value_of: str = ""
    flag: int | None = None
    meaning: str = ""
    unit: float = 1.0

    @property
    def source(self) -> str:
        """Return who answers, as a message names it."""
        return self.target.interface or self.target.name

    def value(self, bus: Bus, limit: TimeLimit) -> float:
        """Return the answer: in seconds, or 1 and 0; raises as `Bus.ask`."""
        if self.value_of:
            return float(bus.property(self.target, self.value_of, limit))
        words = () if self.flag is None else (self.flag,)
        signature = "u" if words else None
        (value,) = bus.ask(self.target, self.method, *words, signature=signature, limit=limit)
        return float(value) * self.unit


_ON_SESSION_BUS = {
    "idle": (
        _BusQuestion(
            BusObject("org.gnome.Mutter.IdleMonitor", "/org/gnome/Mutter/IdleMonitor/Core"),
            "GetIdletime",
            unit=0.001,
        ),
        _BusQuestion(  # in milliseconds, as KDE has it, though an old draft says seconds
            BusObject("org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"),
            "GetSessionIdleTime",
            unit=0.001,
        ),
    ),
    "locked": tuple(
        _BusQuestion(
            BusObject(f"org.{desktop}.ScreenSaver", f"/org/{desktop}/ScreenSaver"),
            "GetActive",
            meaning=SCREEN_LOCKED,
        )
        for desktop in _SAVERS
    ),
    "presenting": (
        _BusQuestion(
            BusObject(
                "org.freedesktop.PowerManagement",
                "/org/freedesktop/PowerManagement/Inhibit",
                "org.freedesktop.PowerManagement.Inhibit",
            ),
            "HasInhibit",
            meaning=KEPT_ON,
        ),
        _BusQuestion(  # 8: whether somebody keeps the session from becoming idle
            BusObject("org.gnome.SessionManager", "/org/gnome/SessionManager"),
            "IsInhibited",
            flag=8,
            meaning=KEPT_ON,
        ),
        _BusQuestion(_SERVER, value_of="Inhibited", meaning=DO_NOT_DISTURB),
        _BusQuestion(_DUNST, value_of="paused", meaning=DO_NOT_DISTURB),
    ),
}


def ask(state: str, desktop: Desktop, limit: TimeLimit) -> Asked:
    """Return what all who may know of a state say, the most exact first; none may take long."""
    answers: list[PresenceAnswer] = []
    silent: dict[str, None] = {}
    with ExitStack() as stack:
        for source, meaning, question in _questions(state, desktop, limit, stack):
            value = _answer(question, limit.part(0.25))
            if value is None:
                silent[source] = None
            else:
                answers.append(PresenceAnswer(value, source, meaning))
    return Asked(tuple(answers), tuple(silent))


def _questions(
    state: str, desktop: Desktop, limit: TimeLimit, stack: ExitStack
) -> Iterator[tuple[str, str, _Question]]:
    """Yield who is asked, what a yes means, and the question."""
    is_known = False
    for address in desktop_session.buses(desktop, limit.part(0.5)):
        with suppress(*session_bus.FAILURES, NotifyError):
            bus = stack.enter_context(session_bus.connected(address, limit.part(0.25)))
            is_known = True
            for each in _ON_SESSION_BUS[state]:
                yield each.source, each.meaning, partial(each.value, bus)
    if not is_known:
        yield "a session bus", "", lambda _: None
    for source, question in _ELSEWHERE[state].items():
        yield source, SCREEN_LOCKED, partial(question, desktop)


def _answer(question: _Question, limit: TimeLimit) -> float | None:
    """Return the answer; None if there is none, for whatever reason."""
    with suppress(*session_bus.FAILURES, NotifyError):
        return question(limit)
    return None


def _xprintidle(desktop: Desktop, limit: TimeLimit) -> float | None:
    """Return the seconds of xprintidle(1); None on Wayland, where X sees only part of the input."""
    environ = desktop.environ
    is_wayland = environ.get("WAYLAND_DISPLAY") or environ.get("XDG_SESSION_TYPE") == "wayland"
    if is_wayland or not environ.get("DISPLAY"):
        return None
    program = helper_program.found("xprintidle", environ)
    ended = helper_program.run((program,), limit, environ)
    return float(ended.out) / 1000 if ended.code == 0 else None


def _idle_hint(desktop: Desktop, limit: TimeLimit) -> float | None:
    """Return for how long logind knows that the session is idle; None where it says that it is not.

    Few desktops tell it, so only a yes means anything.
    """
    with _logind(desktop, limit) as (bus, session):
        if not bus.property(session, "IdleHint", limit):
            return None
        since: int = bus.property(session, "IdleSinceHintMonotonic", limit)
    return RealClock().monotonic() - since / 1e6


def _locked_hint(desktop: Desktop, limit: TimeLimit) -> bool:
    with _logind(desktop, limit) as (bus, session):
        return bool(bus.property(session, "LockedHint", limit))


@contextmanager
def _logind(desktop: Desktop, limit: TimeLimit) -> Iterator[tuple[Bus, BusObject]]:
    """Connect to logind, and find the user's session with a screen: org.freedesktop.login1(5)."""
    user = desktop.uid or desktop_session.user_at_screen(desktop, limit)
    with session_bus.connected(desktop_session.system_bus(desktop), limit) as bus:
        (path,) = bus.ask(_MANAGER, "GetUser", user, signature="u", limit=limit)
        _, session = bus.property(BusObject(LOGIND, path, f"{LOGIND}.User"), "Display", limit)
        yield bus, BusObject(LOGIND, session, f"{LOGIND}.Session")


_ELSEWHERE: Mapping[str, Mapping[str, Callable[[Desktop, TimeLimit], float | None]]] = {
    "idle": {"xprintidle": _xprintidle, "logind": _idle_hint},
    "locked": {"logind": _locked_hint},
    "presenting": {},
}
