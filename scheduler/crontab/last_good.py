"""What keeps running after a bad edit: crontabs in force and crontabs just read in, a mix out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import chain, product
from typing import TYPE_CHECKING

from scheduler.crontab.job_names import folded
from scheduler.crontab.lexer import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from scheduler.entry import Crontab, Entry

    Block = tuple[Sequence[int], Sequence[int]]

_ALIKE = 0.8  # from where a line is another one, broken and moved
_MOST_PAIRS = 1000  # pairs of lines that are compared letter by letter, in a third of a second
_COMPARED_LETTERS = 200  # of each line


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
    if not old:
        return Merged(tuple(new), ())
    before = {crontab.file: crontab for crontab in old}
    jobs = {folded(entry.job) for crontab in new for entry in crontab.entries}
    crontabs: list[Crontab] = []
    kept: list[Entry] = []
    for crontab in new:
        last = before.get(crontab.file)
        rescued: tuple[Entry, ...] = ()
        if last is not None and crontab.file in unreadable:
            rescued, crontab = last.entries, replace(crontab, text=last.text)  # noqa: PLW2901 (the file's own text could not be read)
        elif last is not None and crontab.refused:
            rescued = tuple(_rescued(last, crontab))
        rescued = tuple(entry for entry in rescued if folded(entry.job) not in jobs)
        jobs.update(folded(entry.job) for entry in rescued)
        kept.extend(rescued)
        crontabs.append(replace(crontab, entries=(*crontab.entries, *rescued)))
    return Merged(tuple(crontabs), tuple(kept))


def _rescued(old: Crontab, new: Crontab) -> Iterator[Entry]:
    """Yield the old entries whose lines became refused ones, moved to where those stand now."""
    jobs = {folded(entry.job) for entry in new.entries}
    missing = {entry.line: entry for entry in old.entries if folded(entry.job) not in jobs}
    for old_line, new_line in _moves(old, new, missing.keys()) if missing else ():
        yield replace(missing[old_line], line=new_line)


def _moves(old: Crontab, new: Crontab, missing: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield each missing line of old that was refused in new, with the line where it stands now.

    A refused line is the same line as before, or one that looks like it wherever it went, or else
    the one in whose place it stands.
    """
    lost, refused = set(missing), set(new.refused)
    before, after = _job_lines(old), _job_lines(new)
    same, changed = _changes(before, after)
    moved = _alike(before, after, lost, refused)
    for i, j in chain(same, moved, _in_place(changed, lost, refused)):
        if i in lost and j in refused:
            lost.remove(i)
            refused.remove(j)
            yield i, j


def _job_lines(crontab: Crontab) -> dict[int, str]:
    """Return the text of each job line, in order.

    They alone are compared: blank lines and comments, alike everywhere, say little of what went
    where.
    """
    numbers = {entry.line for entry in crontab.entries} | crontab.refused
    return {n: text for n, text in enumerate(split(crontab.text), 1) if n in numbers}


def _changes(
    old: Mapping[int, str], new: Mapping[int, str]
) -> tuple[list[tuple[int, int]], list[Block]]:
    """Return the lines that are the same, and the blocks that stand in each other's place."""
    before, after = list(old), list(new)
    texts = _told_apart(old.values()), _told_apart(new.values())
    same: list[tuple[int, int]] = []
    changed: list[Block] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        if tag == "equal":
            same += zip(before[i1:i2], after[j1:j2], strict=True)
        else:
            changed.append((before[i1:i2], after[j1:j2]))
    return same, changed


def _told_apart(lines: Iterable[str]) -> list[tuple[str, int]]:
    """Return each text and which one of its like it is: equal ones make a comparison endless."""
    seen: Counter[str] = Counter()
    found = []
    for text in lines:
        seen[text] += 1
        found.append((text, seen[text]))
    return found


def _alike(
    old: Mapping[int, str],
    new: Mapping[int, str],
    lost: AbstractSet[int],
    refused: AbstractSet[int],
) -> Iterator[tuple[int, int]]:
    """Yield the pairs that look alike, most alike first; none where there are too many."""
    if len(lost) * len(refused) > _MOST_PAIRS:
        return
    ratios = (
        (
            SequenceMatcher(None, old[i][:_COMPARED_LETTERS], new[j][:_COMPARED_LETTERS]).ratio(),
            -i,
            -j,
        )
        for i, j in product(lost, refused)
    )
    yield from ((-i, -j) for ratio, i, j in sorted(ratios, reverse=True) if ratio >= _ALIKE)


def _in_place(
    changed: Iterable[Block], lost: AbstractSet[int], refused: AbstractSet[int]
) -> Iterator[tuple[int, int]]:
    """Yield what is left of each block, in order."""
    for before, after in changed:
        here = [line for line in before if line in lost]
        there = [line for line in after if line in refused]
        yield from zip(here, there, strict=False)
