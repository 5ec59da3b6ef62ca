"""Figures side by side: measured values come in, a table for a person or JSON lines go out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

# The factor from seconds or bytes to a unit.
_UNITS = {"s": 1.0, "ms": 1e3, "MB": 1e-6, "bytes": 1.0, "": 1.0}
_COLUMNS = ("floor", "Meridian", "/ floor", "journal", "cron", "/ floor", "/ Meridian")


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity as each of them has it: seconds, bytes or a count; None is not measured."""

    name: str
    unit: str
    floor: float | None = None
    meridian: float | None = None
    journal: float | None = None
    cron: float | None = None

    @property
    def ratios(self) -> tuple[float | None, float | None, float | None]:
        """Meridian to the floor, cron to the floor, cron to Meridian."""
        return (
            _ratio(self.meridian, self.floor),
            _ratio(self.cron, self.floor),
            _ratio(self.cron, self.meridian),
        )


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the smallest value that this percentage of all do not exceed; None for no values."""
    ordered = sorted(values)
    return ordered[max(0, ceil(percent / 100 * len(ordered)) - 1)] if ordered else None


def table(figures: Sequence[Figure]) -> Table:
    """Return the figures as a table, a row each; a ratio stands behind what is divided."""
    out = Table(box=box.SIMPLE, pad_edge=False)
    out.add_column("", no_wrap=True)
    for heading in _COLUMNS:
        out.add_column(heading, justify="right", no_wrap=True)
    for figure in figures:
        to_floor, cron_to_floor, cron_to_meridian = (_times(ratio) for ratio in figure.ratios)
        values = (figure.floor, figure.meridian, figure.journal, figure.cron)
        floor, meridian, journal, cron = (_printed(value, figure.unit) for value in values)
        ours = (floor, meridian, to_floor, journal)
        out.add_row(figure.name, *ours, cron, cron_to_floor, cron_to_meridian)
    return out


def json_line(figure: Figure) -> str:
    """Return the figure as one JSON object, values in its unit."""
    to_floor, cron_to_floor, cron_to_meridian = figure.ratios
    values = {
        "floor": _scaled(figure.floor, figure.unit),
        "meridian": _scaled(figure.meridian, figure.unit),
        "meridian_to_floor": to_floor,
        "journal": _scaled(figure.journal, figure.unit),
        "cron": _scaled(figure.cron, figure.unit),
        "cron_to_floor": cron_to_floor,
        "cron_to_meridian": cron_to_meridian,
    }
    return json.dumps({"figure": figure.name, "unit": figure.unit} | values)


def _ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else round(value / base, 3)


def _scaled(value: float | None, unit: str) -> float | None:
    return None if value is None else round(value * _UNITS[unit], 3)


def _printed(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    scaled = value * _UNITS[unit]
    if not unit:
        return f"{scaled:,.0f}"
    digits = 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0
    return f"{scaled:,.{digits}f} {unit}"


def _times(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:,.0f} ×" if ratio >= 100 else f"{ratio:.2f} ×"
