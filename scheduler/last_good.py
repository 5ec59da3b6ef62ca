"""What keeps running after a bad edit: crontabs in force and crontabs just read in, a mix out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduler.model import Crontab, Entry


@dataclass(frozen=True, slots=True)
class Merged:
    """The crontabs to go by from now on, and the entries among them that are last good versions."""

    crontabs: tuple[Crontab, ...]
    kept: tuple[Entry, ...]


def merge(
    old: Sequence[Crontab], new: Sequence[Crontab], unreadable: frozenset[str] = frozenset()
) -> Merged:
    """Put the last good version in the place of everything that the edit made unreadable.

    A file in `unreadable` keeps all its entries; a job line that was refused keeps the entry that
    stood there before. An entry whose line is gone was taken out, and is gone.
    """
    before = {crontab.file: crontab for crontab in old}
    jobs = {entry.job.lower() for crontab in new for entry in crontab.entries}
    crontabs: list[Crontab] = []
    kept: list[Entry] = []
    for crontab in new:
        last = before.get(crontab.file)
        rescued: tuple[Entry, ...] = ()
        if last is not None and crontab.file in unreadable:
            rescued, crontab = last.entries, replace(crontab, lines=last.lines)  # noqa: PLW2901 (the file's own lines could not be read)
        elif last is not None and crontab.refused:
            rescued = tuple(_rescued(last, crontab))
        rescued = tuple(entry for entry in rescued if entry.job.lower() not in jobs)
        jobs.update(entry.job.lower() for entry in rescued)
        kept.extend(rescued)
        crontabs.append(replace(crontab, entries=(*crontab.entries, *rescued)))
    return Merged(tuple(crontabs), tuple(kept))


def _rescued(old: Crontab, new: Crontab) -> Iterator[Entry]:
    """Yield the old entries whose lines became refused ones, moved to where those stand now."""
    jobs = {entry.job.lower() for entry in new.entries}
    missing = {entry.line: entry for entry in old.entries if entry.job.lower() not in jobs}
    blocks = SequenceMatcher(None, old.lines, new.lines, autojunk=False).get_opcodes()
    for tag, i1, i2, j1, j2 in blocks if missing else ():
        refused = [line for line in range(j1 + 1, j2 + 1) if line in new.refused]
        if tag == "equal":
            pairs = [(line - j1 + i1, line) for line in refused]
        else:
            lost = [line for line in range(i1 + 1, i2 + 1) if line in missing]
            pairs = _pairs(old.lines, new.lines, lost, refused)
        for old_line, new_line in pairs:
            if old_line in missing:
                yield replace(missing[old_line], line=new_line)


def _pairs(
    old: Sequence[str], new: Sequence[str], lost: list[int], refused: list[int]
) -> list[tuple[int, int]]:
    """Pair each refused line with the lost line it is most like; each is used once."""
    likeness = sorted(
        (
            (SequenceMatcher(None, old[i - 1], new[j - 1]).ratio(), i, j)
            for i in lost
            for j in refused
        ),
        reverse=True,
    )
    pairs: dict[int, int] = {}
    for _, i, j in likeness:
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return list(pairs.items())
