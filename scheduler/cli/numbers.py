"""The least and the most in, what reads a number that is typed out: as a crontab's are read."""

from __future__ import annotations

from scheduler.cli.option_parser import Parser
from scheduler.crontab import setting_values

MOST = 1_000_000_000  # of whatever an option counts


def whole(low: int, high: int = MOST) -> Parser:
    """Return what reads the whole numbers that a crontab's settings take."""
    return Parser(setting_values.whole(low, high), f"a whole number from {low} to {high}")


def number(low: float, high: float) -> Parser:
    """Return what reads the numbers that a crontab's settings take."""
    return Parser(setting_values.number(low, high), f"a number from {low:g} to {high:g}")
