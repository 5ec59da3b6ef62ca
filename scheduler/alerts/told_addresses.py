"""Which addresses of a file have heard a delivery that the others have not: `told.json`.

So an address that fails is tried again alone, also if the sender is killed in between.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from scheduler.codec import stamp
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scheduler.notice import Delivery

TOLD_FILE = "told.json"
MOST_DELIVERIES = 500  # that are remembered; the oldest goes
_MOST_TOLD_BYTES = 1_000_000


class ToldAddresses:
    """Owns the file in the state folder, in which addresses stand as hashes: they are secrets.

    The senders of `@name` call it, of which there may be two at a time: each change is made under
    the file's lock. Invariant: an address stands there only if it was told, and nothing of a
    delivery that is through does. A file that makes no sense is an empty one, and so is one on a
    disk that takes nothing: at worst somebody hears a thing twice.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / TOLD_FILE

    def of(self, delivery: Delivery) -> frozenset[str]:
        """Return the hashes of the addresses that have heard this delivery, see `hashed`."""
        with suppress(OSError), state_files.open_for(self._path, os.O_RDONLY) as file:
            return frozenset(_read(file).get(_key(delivery), ()))
        return frozenset()

    def add(self, delivery: Delivery, address: str) -> None:
        """Remember on disk that an address has heard it."""

        def change(told: dict[str, list[str]]) -> None:
            told.setdefault(_key(delivery), []).append(hashed(address))
            for oldest in list(told)[:-MOST_DELIVERIES]:
                del told[oldest]

        self._change(change)

    def forget(self, delivery: Delivery) -> None:
        """Forget a delivery that is not tried again."""
        self._change(lambda told: told.pop(_key(delivery), None))

    def _change(self, change: Callable[[dict[str, list[str]]], object]) -> None:
        with suppress(OSError), state_files.own_for(self._path) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            told = _read(file)
            change(told)
            os.ftruncate(file, 0)
            os.pwrite(file, json.dumps(told).encode(), 0)


def hashed(text: str) -> str:
    """Return what stands for a secret text."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _read(file: int) -> dict[str, list[str]]:
    try:
        found = json.loads(os.pread(file, _MOST_TOLD_BYTES, 0))
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: told for key, told in found.items() if isinstance(told, list)}


def _key(delivery: Delivery) -> str:
    """Return what tells a delivery from all others, also from those of another journal."""
    facts = [
        (each.kind, each.facts.job, each.facts.run, stamp(each.at)) for each in delivery.notices
    ]
    return hashed(json.dumps([delivery.number, delivery.target, facts]))
