"""Who asks at the control socket: a value that its server makes, and whoever answers judges by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """The user at the other end, by the kernel's word, and what they are called.

    An admin is root, or the daemon's own user: they may ask for everything, and `user` is not
    looked up then. Everybody else may ask about what is their own: what has `user` as its user.
    None is one whom the system has no name for, and who owns nothing.
    """

    uid: int
    user: str | None = None
    is_admin: bool = False

    def owns(self, user: str | None) -> bool:
        """Say whether what has this user (None: the daemon's own) is this peer's matter."""
        return self.is_admin or (user is not None and user == self.user)
