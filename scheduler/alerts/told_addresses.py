"""Which addresses of a file have heard a delivery that the others have not: `told.json`.

So an address that fails is tried again alone, also if the sender is killed in between.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from scheduler.codec import stamp
from scheduler.system import state_files

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.notice import Delivery

TOLD_FILE = "told.json"
MOST_DELIVERIES = 500  # that are remembered; the oldest goes
_MOST_TOLD_BYTES = 1_000_000


class ToldAddresses:
    """Owns the file in the state folder, in which addresses stand as hashes: they are secrets.

    The channel of `@name` calls it; there is one sender of that channel at a time. Invariant: an
    address stands there only if it was told, and nothing of a delivery that is through does. A file
    that makes no sense is an empty one: at worst somebody hears a thing twice.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / TOLD_FILE
        self._told = self._read()

    def has(self, delivery: Delivery, address: str) -> bool:
        """Say whether an address has heard this delivery."""
        return _hash(address) in self._told.get(_key(delivery), ())

    def add(self, delivery: Delivery, address: str) -> None:
        """Remember that it has, on disk."""
        self._told.setdefault(_key(delivery), []).append(_hash(address))
        for oldest in list(self._told)[:-MOST_DELIVERIES]:
            del self._told[oldest]
        self._write()

    def forget(self, delivery: Delivery) -> None:
        """Forget a delivery that is not tried again."""
        if self._told.pop(_key(delivery), None) is not None:
            self._write()

    def _read(self) -> dict[str, list[str]]:
        with (
            suppress(OSError, ValueError),
            state_files.open_for(self._path, os.O_RDONLY) as descriptor,
        ):
            found = json.loads(os.read(descriptor, _MOST_TOLD_BYTES))
            if isinstance(found, dict):
                return {key: told for key, told in found.items() if isinstance(told, list)}
        return {}

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        with (
            suppress(OSError),  # a full disk: what was told is told again
            state_files.open_for(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor,
        ):
            os.write(descriptor, json.dumps(self._told).encode())
            state_files.rename(new, self._path)


def _key(delivery: Delivery) -> str:
    """Return what tells a delivery from all others, also from those of another journal."""
    facts = [
        (each.kind, each.facts.job, each.facts.run, stamp(each.at)) for each in delivery.notices
    ]
    return _hash(json.dumps([delivery.number, delivery.target, facts]))


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]
