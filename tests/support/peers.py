"""Who asks a daemon: root, and users of the machine."""

from __future__ import annotations

from scheduler.peer import Peer

ROOT = Peer(0, is_admin=True)
ALICE, BOB = Peer(1001, "alice"), Peer(1002, "bob")
NAMELESS = Peer(1003)  # the system has no name for that user
