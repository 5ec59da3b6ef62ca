"""The crontabs that a daemon goes by: names of its command line, or its places in, crontabs out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from scheduler import localzone, sources
from scheduler.cli import given
from scheduler.errors import SourceRefused
from scheduler.places import Places
from scheduler.protocol import Json
from scheduler.sources import Loaded, Reading, Stamp


@dataclass(slots=True)
class Files:
    """The crontabs that the daemon goes by: those named, or whatever is in its places.

    Those of them that name no zone go by the machine's, which may change as they may. `known` are
    the files that were there at the last look.
    """

    named: tuple[str, ...]
    places: Places
    how: Reading
    known: tuple[str, ...] = ()

    def stamps(self) -> Mapping[str, Stamp]:
        """See `Library`."""
        found = {file: sources.stamp(Path(file)) for file in self._paths()}
        there = {file: stamp for file, stamp in found.items() if stamp is not None}
        return there | {"the machine's zone": localzone.zone_stamp()}

    def load(self) -> Loaded:
        """See `Library`."""
        zone, problem = localzone.machine_zone()
        if not problem:
            self.how = replace(self.how, zone=zone)
        return sources.load(self._paths(), self.how)

    def reads(self) -> Json:
        """Return for whoever asks the daemon how these files are read."""
        return {
            "named": bool(self.named),
            "system_format": self.how.system,
            "zone": self.how.zone.key,
        }

    def _paths(self) -> tuple[str, ...]:
        with suppress(OSError):  # without a descriptor to look with, what was there is there
            self.known = self.named or given.own_files(self.places)
        return self.known


def of(files: Sequence[str] | None, places: Places, *, system: bool) -> Files:
    """Return the crontabs of these names, or of the places; SourceRefused for a missing name."""
    named = tuple(dict.fromkeys(files or ()))
    own_folder = not named and places.folder is not None
    how = given.how(given.own_zone(), named=bool(named), system=system or own_folder)
    for file in named:
        if not sources.is_there(Path(file)):
            raise SourceRefused(file, "missing", "there is no such file")
    return Files(named, places, how)
