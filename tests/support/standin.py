"""A stand-in for the daemon behind its control socket: the socket is real, the answers are given."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scheduler.status import Status
from scheduler.system import control_listener, control_server
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scheduler.peer import Peer
    from scheduler.protocol import Reply, Request

STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "pid": 4242,
    "started": "2027-03-28T00:30:00Z",
    "state": "/var/lib/meridian",
    "stopping": False,
    "entries": 12,
    "zones": 3,
    "problems": 0,
    "kept": 0,
    "last_tick": "2027-03-28T01:00:00Z",
    "now": "2027-03-28T01:01:30Z",
    "journal": None,
    "zone_data": [{"where": "/usr/share/zoneinfo", "version": "2027a", "zones": 3}],
    "max_running": 50,
    "running": [
        {"run": 7, "job": "backup", "at": "2027-03-28T00:45:00Z", "zone": "Europe/Berlin",
         "attempt": 1, "pid": 123, "started": "2027-03-28T00:45:00Z",
         "for_s": 990.0, "user": None},
    ],
    "waiting": [
        {"run": 8, "job": "report", "at": "2027-03-28T01:00:00Z", "zone": "Asia/Tokyo",
         "attempt": 2, "due": "2027-03-28T01:02:00Z", "reason": "retry", "user": None},
    ],
    "paused": [
        {"job": "mirror", "since": "2027-03-27T12:00:00Z", "until": None, "note": "disk is full"},
    ],
    "catching_up": [
        {"job": "import", "at": "2027-03-27T14:20:00Z", "until": "2027-03-28T01:00:00Z",
         "zone": "Europe/Berlin", "left": 65},
    ],
    "next": [
        {"job": "mail", "at": "2027-03-28T01:05:00Z", "zone": "Europe/Berlin", "user": None},
    ],
    "files": [
        {"file": "/etc/meridian/crontabs/crontab", "entries": 12, "refused": 0, "lines": [],
         "reasons": [], "kept": 0, "readable": True, "user": None},
    ],
    "reads": {
        "named": False,
        "system_format": True,
        "zone": "Europe/Berlin",
        "system": False,
        "without_cron": None,
        "most_entries": None,
    },
    "counts": {"running": 1, "waiting": 1, "paused": 1, "catching_up": 1},
}  # fmt: skip


class StandIn:
    """What the daemon was asked, and what it replies by the name of the request."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.warnings: list[str] = []
        self.status = STATUS
        self.in_force: frozenset[str] | None = None
        self.replies: dict[type[Request], Reply] = {}

    def warn(self, *lines: str) -> None:
        self.warnings.append("\n".join(lines))

    async def ask(self, request: Request, _: Peer) -> Reply:
        self.asked.append(request)
        if isinstance(request, Status) and Status not in self.replies:
            if self.in_force is None:
                return self.status
            return self.status | {"in_force": sorted(self.in_force & set(request.jobs))}
        return self.replies.get(type(request), Refused("unknown", "nobody said what to reply"))

    @contextmanager
    def listening(self, path: Path) -> Iterator[None]:
        """Answer at `path`, on a loop in a thread of its own."""
        path.parent.mkdir(parents=True, exist_ok=True)
        listener = control_listener.listen(path)
        loop, is_over = asyncio.new_event_loop(), asyncio.Event()

        async def serve() -> None:
            async with control_server.serve(listener, self.ask, self.warn):
                await is_over.wait()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
        thread.start()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(is_over.set)
            thread.join()
            loop.close()
