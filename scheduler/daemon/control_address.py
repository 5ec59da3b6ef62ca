"""A daemon's paths in, its control socket out, where commands find it for as long as it runs."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError, NoSocket
from scheduler.system import control_listener
from scheduler.system.paths import Paths, make_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scheduler.system.control_listener import ListeningSocket
    from scheduler.system.control_server import Server
    from scheduler.system.log import Log


@dataclass(slots=True)
class ControlAddress:
    """Owns where the control socket is, and the link to it in the state folder.

    The service calls it at its start, before each minute and at its end. It has the lock of the
    state folder, so the link that stands there is its own or a dead daemon's, and there is at most
    one. `paths` are judged at each call, since a runtime folder goes at a logout and comes at a
    login. One that `is_open` can be reached by every user of the machine; in a state folder, which
    is the daemon's alone, it never is.
    """

    paths: Callable[[], Paths]
    log: Log
    is_open: bool = False
    path: Path | None = None  # of the socket
    trouble: str = ""  # what was said of it last

    def listen(self) -> ListeningSocket | None:
        """Open the socket in the runtime folder, else in the state folder.

        A daemon that can have none runs its jobs all the same.
        """
        paths = self.paths()
        _clear(paths.contact)
        troubles: list[str] = []
        listener: ListeningSocket | None = None
        for path in dict.fromkeys((paths.socket, paths.contact)):
            try:
                listener = _listener(path, is_open=self.is_open and path != paths.contact)
                _link(paths.contact, path)
            except MeridianError as error:
                troubles.append(str(error))
            if listener is not None:
                break
        self._tell("; ".join(troubles), listener)
        return listener

    def look(self, server: Server) -> None:
        """Make the socket again where its file is gone, and the link to it."""
        server.ensure_listening(self.listen)
        contact = self.paths().contact
        if self.path is not None and contact != self.path and not contact.is_symlink():
            with suppress(MeridianError):
                _link(contact, self.path)

    def forget(self) -> None:
        """Remove this daemon's link: by now another daemon may have the state folder."""
        contact = self.paths().contact
        with suppress(OSError):
            if contact.readlink() == self.path:
                contact.unlink()

    def _tell(self, trouble: str, listener: ListeningSocket | None) -> None:
        """Say what keeps commands away, once, and where they find the daemon after all."""
        if trouble and trouble != self.trouble:
            found = "no command reaches this daemon" if listener is None else _at(listener)
            self.log.warning("control", say=f"{found}: {trouble}", text=f"{found}: {trouble}")
        elif listener is not None and (self.path or self.trouble):
            self.log.info("control", say=f"{_at(listener)} again", text=f"{_at(listener)} again")
        self.trouble = trouble
        self.path = self.path if listener is None else listener.path


def _at(listener: ListeningSocket) -> str:
    return f"commands reach this daemon at {listener.path}"


def _listener(path: Path, *, is_open: bool) -> ListeningSocket:
    make_private(path.parent, os.geteuid(), kind="runtime", is_seen=is_open)
    return control_listener.listen(path, is_open=is_open)


def _clear(contact: Path) -> None:
    """Remove a daemon's link; what is no link to a control socket is left alone."""
    with suppress(OSError):
        if contact.readlink().name == contact.name:
            contact.unlink()


def _link(contact: Path, path: Path) -> None:
    """Let the state folder lead to the socket, unless that is in it."""
    if contact == path:
        return
    control_listener.clear(contact)
    try:
        contact.symlink_to(path)
    except OSError as error:
        raise NoSocket(f"can't make the link {contact}: {error.strerror}") from error
