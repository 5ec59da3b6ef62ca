"""How many requests a user may make: a moment in, how long their next one has to wait out."""

from __future__ import annotations

from dataclasses import dataclass, field

REQUESTS_AT_ONCE = 20  # requests of a user that need not wait
REQUESTS_A_SECOND = (
    10.0  # of one who goes on asking, so that the loop has time for everybody's jobs
)


@dataclass(slots=True)
class RequestPace:
    """Owns, for each user who asks, until when what they have asked for counts.

    The server of the control socket calls it, with the time of its loop, for each request. It is
    the generic cell rate algorithm (ITU-T I.371): in the long run a user asks REQUESTS_A_SECOND
    times a second, however many connections they have. Invariant: what is known of a user who has
    been silent for a while is forgotten.
    """

    _until: dict[int, float] = field(default_factory=dict)

    def wait(self, uid: int, now: float) -> float:
        """Return for how many seconds a request that this user makes now has to wait."""
        self._until = {each: until for each, until in self._until.items() if until > now}
        until = max(self._until.get(uid, now), now) + 1 / REQUESTS_A_SECOND
        self._until[uid] = until
        return max(0.0, until - now - REQUESTS_AT_ONCE / REQUESTS_A_SECOND)
