"""What a peer may ask for: a peer and a request in, why it is refused out.

Root, and the daemon's own user, may ask for everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.wire import Refused

if TYPE_CHECKING:
    from scheduler.peer import Peer
    from scheduler.protocol import Request


def refusal(peer: Peer, request: Request) -> Refused | None:  # noqa: ARG001 (no verb is open yet)
    """Return why this peer may not ask for that; None where it may."""
    return None if peer.is_admin else Refused("forbidden", "this is answered to root alone")
