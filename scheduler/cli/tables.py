"""A table's cells and the width of a screen in, its lines out.

Times, run numbers, states and names are never cut and never broken: commands and reasons give way,
and where that is not enough they stand below their row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from importlib import import_module

from rich.cells import set_cell_size

from scheduler.cli.styled import Text
from scheduler.printable import clean
from scheduler.wrapping import wrapped

GAP = 2  # cells between two columns
INDENT = 4  # of what stands below its row
NEAR = 6  # days to either side of today in which a weekday alone is clear


class ColumnKind(Enum):
    """What becomes of a column's cells where there is little room."""

    WHOLE = "it keeps its room"
    HANGS = "a cell longer than its column pushes the rest of its row to the next line"
    CUT = "it is cut, with …"
    WRAPS = "it goes on in the next line, at a blank"
    BELOW = "it stands below its row, broken at blanks alone: it may be copied"


KINDS = {
    "JOB": ColumnKind.HANGS,
    "ZONE": ColumnKind.HANGS,
    "SCHEDULE": ColumnKind.HANGS,
    "COMMAND": ColumnKind.CUT,
    "TO": ColumnKind.HANGS,
    "NOTE": ColumnKind.WRAPS,
    "WHY": ColumnKind.WRAPS,
    "REASON": ColumnKind.BELOW,
    "HOW": ColumnKind.WRAPS,
    "WHAT": ColumnKind.WRAPS,
    "AND THEN": ColumnKind.WRAPS,
    "WHAT HAPPENS": ColumnKind.WRAPS,
}
FLOORS = {
    ColumnKind.HANGS: 12,
    ColumnKind.CUT: 12,
    ColumnKind.WRAPS: 16,
}  # cells that a column keeps
FEW = 3  # one in so many names may be so long that it pushes the rest of its row down
TWINS = {"HERE": "IN ITS ZONE"}  # goes where it says nothing else than the other

STATES = {"failed": "red", "lost": "red", "skipped": "yellow", "running": "cyan"}


class TimeForm(Enum):
    """How a time is written."""

    SHORT = "%a"
    DATE = "%Y-%m-%d"
    LONG = "%a %Y-%m-%d"


@dataclass(frozen=True, slots=True)
class When:
    """A local time in a cell, or two; `now` says which days are near enough for a short form."""

    local: datetime
    now: datetime
    until: datetime | None = None
    clock: str = "%H:%M"

    @property
    def is_near(self) -> bool:
        """Whether the weekday alone says which day it is."""
        return all(
            abs((each.date() - self.now.astimezone(each.tzinfo).date()).days) <= NEAR
            for each in self._times()
        )

    def text(self, form: TimeForm) -> str:
        """Return it in this form."""
        return " to ".join(f"{each:{form.value} {self.clock}}" for each in self._times())

    def _times(self) -> list[datetime]:
        return [self.local] if self.until is None else [self.local, self.until]


Cell = str | Text | When


def are_others(users: Iterable[str | None]) -> bool:
    """Say whether rows need a column for these users: not for the daemon's own (None) and root."""
    return any(user not in (None, "root") for user in users)


def state(name: str) -> Text:
    """Return a run's state in its colour."""
    return Text(name, STATES.get(name, ""))


def lines(
    header: Sequence[str], rows: Sequence[Sequence[Cell]], width: int | None
) -> Iterator[Text]:
    """Yield the lines of a table, its header first, for this many cells (None: all is whole)."""
    best, shorter = _forms(rows, width)
    layout, texts = _laid_out(header, rows, best, width)
    if layout.is_crowded and shorter is not best:
        layout, texts = _laid_out(header, rows, shorter, width)
    titles, *cells = texts
    yield from layout.header(titles)
    for row in cells:
        yield from layout.lines(row)


def _laid_out(
    header: Sequence[str], rows: Sequence[Sequence[Cell]], form: TimeForm, width: int | None
) -> tuple[Layout, list[list[Text]]]:
    """Return the layout, and the cells that are shown, titles first."""
    whole = [[_text(cell, form) for cell in row] for row in (header, *rows)]
    shown = _shown(header, whole[1:])
    texts = [[row[i] for i in shown] for row in whole]
    sizes = [[cell.cell_len for cell in column] for column in zip(*texts, strict=True)]
    return fitted([header[i] for i in shown], sizes, width), texts


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the columns of a table begin, and what stands below its row."""

    kinds: Sequence[ColumnKind]
    widths: Sequence[int]
    below: frozenset[int]
    width: int | None
    is_crowded: bool = False  # names are pushed about, or reasons stand below

    def header(self, titles: Sequence[Text]) -> Iterator[Text]:
        """Yield the line of titles; what stands below its row has none."""
        named = ("" if i in self.below else title.plain for i, title in enumerate(titles))
        return self.lines([Text(title, "bold") for title in named])

    def lines(self, cells: Sequence[Text]) -> Iterator[Text]:
        """Yield the lines of one row."""
        found = [Text()]
        top = start = 0  # the line in which the row goes on, and the column's first cell
        for column, cell in enumerate(cells):
            if column in self.below:
                continue
            if cell.plain:
                pieces = _broken(cell, self.kinds[column], self.widths[column])
                used = found[top].cell_len
                at = self._place(start, pieces[0], used, is_on=top > 0)
                if used > max(0, at - GAP):
                    found.append(Text())
                    top = len(found) - 1
                _put(pieces, found, top, at)
            start += self.widths[column] + GAP
        yield from found
        for column in sorted(self.below):
            yield from self._beneath(column, cells[column])

    def _place(self, start: int, piece: Text, used: int, *, is_on: bool) -> int:
        """Return where a cell begins: in its column, or further left if the screen ends there.

        So many cells of the line are used; one that is not the row's first (`is_on`) takes more.
        """
        if self.width is None or start + piece.cell_len <= self.width:
            return start
        behind = used + GAP
        return behind if is_on and behind + piece.cell_len <= self.width else min(start, INDENT)

    def _beneath(self, column: int, cell: Text) -> Iterator[Text]:
        # Further right than a cell of the row that has hung over the end of its line.
        indent = 2 * INDENT if self.kinds[column] is ColumnKind.BELOW else INDENT
        room = max(FLOORS[ColumnKind.WRAPS], (self.width or 0) - indent)
        for piece in _broken(cell, self.kinds[column], room) if cell.plain else ():
            yield Text(" " * indent).append_text(piece)


def _put(pieces: Sequence[Text], found: list[Text], top: int, at: int) -> None:
    """Write the pieces of a cell one below the other, from this line and place on."""
    for index, piece in enumerate(pieces, top):
        if index == len(found):
            found.append(Text())
        found[index].pad_right(at - found[index].cell_len)
        found[index].append_text(piece)


def fitted(titles: Sequence[str], sizes: Sequence[Sequence[int]], width: int | None) -> Layout:
    """Return the layout of columns whose cells, titles with them, are so wide each."""
    kinds = [KINDS.get(title, ColumnKind.WHOLE) for title in titles]
    if width is None:
        return Layout(kinds, list(map(max, sizes)), frozenset(), None)
    if ColumnKind.BELOW in kinds:
        return _with_below(titles, sizes, width)
    most = [_usual(cells, kind, width // 2) for kind, cells in zip(kinds, sizes, strict=True)]
    few = [_few(cells, kind, width // 3) for kind, cells in zip(kinds, sizes, strict=True)]
    soft = [i for i, kind in enumerate(kinds) if kind in {ColumnKind.CUT, ColumnKind.WRAPS}]
    for widths in (list(most), few):
        _shrink(widths, soft, kinds, _excess(widths, width))
        if _excess(widths, width) <= 0:
            return Layout(kinds, widths, frozenset(), width, is_crowded=widths is few)
    excess = _excess([cells for i, cells in enumerate(most) if i not in soft], width)
    hanging = [i for i, kind in enumerate(kinds) if kind is ColumnKind.HANGS]
    _shrink(most, _by_pushed(hanging, most, sizes, excess), kinds, excess)
    return Layout(kinds, most, frozenset(soft), width, is_crowded=True)


def _with_below(titles: Sequence[str], sizes: Sequence[Sequence[int]], width: int) -> Layout:
    """Return the layout of those that stand in their row, with the last of them below."""
    *row, _ = sizes
    found = fitted(titles[:-1], row, width)
    return replace(
        found,
        kinds=[*found.kinds, ColumnKind.BELOW],
        widths=[*found.widths, 0],
        below=found.below | {len(row)},
    )


def _usual(cells: Sequence[int], kind: ColumnKind, most: int) -> int:
    """Return how wide a column is: a name's takes no more than so many cells of the screen."""
    return min(max(cells), max(cells[0], most)) if kind is ColumnKind.HANGS else max(cells)


def _few(cells: Sequence[int], kind: ColumnKind, most: int) -> int:
    """Return how wide a column is where a few long names hang, so that all else has its place."""
    longer = sum(size > most for size in cells)
    return _usual(cells, kind, most if longer * FEW <= len(cells) else max(cells))


def _by_pushed(
    columns: Sequence[int], widths: Sequence[int], sizes: Sequence[Sequence[int]], excess: int
) -> list[int]:
    """Return the columns, last the one that pushes the fewest rows down if it gives all."""

    def pushed(column: int) -> int:
        left = widths[column] - max(0, excess)
        rows = sizes[column][1:]
        return (
            sum(size > left for size in rows) if left >= FLOORS[ColumnKind.HANGS] else len(rows) + 1
        )

    return sorted(columns, key=pushed, reverse=True)


def _excess(widths: Sequence[int], width: int) -> int:
    return sum(widths) + GAP * (len(widths) - 1) - width


def _shrink(
    widths: list[int], columns: Sequence[int], kinds: Sequence[ColumnKind], excess: int
) -> None:
    """Take so many cells from these columns, the last first; none if they have too few."""
    spare = {i: max(0, widths[i] - FLOORS[kinds[i]]) for i in reversed(columns)}
    if sum(spare.values()) < excess:
        return
    for column, cells in spare.items():
        taken = max(0, min(cells, excess))
        widths[column] -= taken
        excess -= taken


def _broken(cell: Text, kind: ColumnKind, width: int) -> list[Text]:
    if cell.cell_len <= width or kind in {ColumnKind.WHOLE, ColumnKind.HANGS}:
        return [cell]
    if kind is ColumnKind.CUT:
        return [Text(set_cell_size(cell.plain, width - 1).rstrip() + "…", cell.style)]
    if kind is ColumnKind.BELOW:
        return [Text(piece, cell.style) for piece in wrapped(cell.plain, width)]
    folded = import_module("scheduler.cli.terminal").folded  # a table is broken for a screen alone
    return [Text(piece, cell.style) for piece in folded(cell.plain, width)]


def _forms(rows: Sequence[Sequence[Cell]], width: int | None) -> tuple[TimeForm, TimeForm]:
    """Return how the times of a table are written, and how where that leaves too little room."""
    whens = [cell for row in rows for cell in row if isinstance(cell, When)]
    if width is None:
        return TimeForm.LONG, TimeForm.LONG
    is_near = all(when.is_near for when in whens)
    return (TimeForm.SHORT, TimeForm.SHORT) if is_near else (TimeForm.LONG, TimeForm.DATE)


def _text(cell: Cell, form: TimeForm) -> Text:
    if isinstance(cell, When):
        return Text(cell.text(form))
    if isinstance(cell, Text):
        return Text(clean(cell.plain), cell.style)
    return Text(clean(cell))


def _shown(header: Sequence[str], rows: Sequence[Sequence[Text]]) -> list[int]:
    """Return the columns that say something: not empty, not the same as another."""
    if not rows:
        return list(range(len(header)))
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    return [
        i
        for i, (title, cells) in enumerate(columns.items())
        if any(cell.plain for cell in cells) and not _is_twin(title, columns)
    ]


def _is_twin(title: str, columns: dict[str, tuple[Text, ...]]) -> bool:
    twin = columns.get(TWINS.get(title, ""))
    return twin is not None and [c.plain for c in twin] == [c.plain for c in columns[title]]
