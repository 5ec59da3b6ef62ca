"""Tables under titles and the size of a screen in, the lines that fit on it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from scheduler.cli import tables
from scheduler.cli.styled import Text
from scheduler.cli.tables import Cell

_HEAD_STYLE = "bold"


@dataclass(frozen=True, slots=True)
class Section:
    """A title and a table; `whole` counts the rows that there are, shown or not."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    whole: int

    def lines(self, width: int | None) -> list[Text]:
        """Return the lines of the table without its title; none without rows."""
        return list(tables.lines(self.header, self.rows, width)) if self.rows else []


def whole(sections: Sequence[Section], width: int | None) -> Iterator[Text]:
    """Yield all sections that have rows, a blank line before each."""
    for section in sections:
        if section.rows:
            cut = section.whole - len(section.rows)
            more = f", {len(section.rows)} of them shown" if cut > 0 else ""
            yield Text()
            yield Text(section.title + more, _HEAD_STYLE)
            yield from section.lines(width)


def fitted(sections: Sequence[Section], width: int | None, height: int) -> list[Text]:
    """Return the sections in at most so many lines, as far as titles alone leave room.

    Where it is too little, blank lines go first; then each section has its share, and its title
    says how many rows more there are.
    """
    shown = [section for section in sections if section.rows]
    found = list(whole(shown, width))
    if len(found) <= height and all(each.whole == len(each.rows) for each in shown):
        return found
    needs = [len(section.lines(width)) for section in shown]
    shares = _shares(needs, height - len(shown))
    cut = (_cut(*each, width) for each in zip(shown, needs, shares, strict=True))
    return list(chain.from_iterable(cut))


def _shares(needs: Sequence[int], room: int) -> list[int]:
    """Divide a room: who needs little has it whole, the others have equal parts of what is left."""
    shares = [0] * len(needs)
    in_order = sorted(range(len(needs)), key=needs.__getitem__)
    for left, index in zip(range(len(needs), 0, -1), in_order, strict=True):
        shares[index] = min(needs[index], max(0, room) // left)
        room -= shares[index]
    return shares


def _cut(section: Section, need: int, share: int, width: int | None) -> Iterator[Text]:
    """Yield a section's title, and of its table what fits into its share."""
    each = -(-(need - 1) // len(section.rows))  # lines of a row
    number = len(section.rows) if share >= need else max(0, (share - 1) // each)
    more = section.whole - number
    yield Text(section.title + (f", … {more} more" if more > 0 else ""), _HEAD_STYLE)
    yield from replace(section, rows=section.rows[:number]).lines(width)
