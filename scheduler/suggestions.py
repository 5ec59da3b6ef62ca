"""A word that nobody knows and those that are known in, the ones that it may be meant for out."""

from __future__ import annotations

from bisect import bisect_left
from difflib import get_close_matches
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

LETTERS = 100  # of a word that are compared
FEW_NAMES = 100  # known words that are all compared, in some milliseconds
_BESIDE = 12  # of more than that: so many on each side, sorted from the front and from the back


def nearest(word: str, known: Collection[str], *, most: int = 1, alike: float = 0.6) -> list[str]:
    """Return those of `known` that look like `word`, the most alike first.

    `alike` is how alike they must be at least, from 0 to 1. The daemon asks this on its loop, so
    that of many only those are compared that begin or end as the word does: of two names that one
    slip tells apart, either the first half is the same or the second.
    """
    word = word[:LETTERS]
    candidates = (
        list(known) if len(known) <= FEW_NAMES else list(dict.fromkeys(_beside(word, known)))
    )
    return get_close_matches(word, candidates, n=most, cutoff=alike)


def _beside(word: str, known: Collection[str]) -> Iterator[str]:
    """Yield what stands beside the word in the alphabet, read from the front and from the back."""
    backwards = sorted(name[::-1] for name in known)
    yield from _around(word, sorted(known))
    yield from (name[::-1] for name in _around(word[::-1], backwards))


def _around(word: str, ordered: Sequence[str]) -> Sequence[str]:
    at = bisect_left(ordered, word)
    return ordered[max(at - _BESIDE, 0) : at + _BESIDE]


def did_you_mean(names: Sequence[str]) -> str:
    """Return the question whether one of these was meant, "" if there are none."""
    return f"did you mean {' or '.join(names)}?" if names else ""


def job(word: str, *known: Collection[str]) -> str:
    """Return what to do about a job of which there is none: the jobs it may be meant for."""
    near = nearest(word, set(chain(*known)), most=3, alike=0.5)
    return did_you_mean(near) or "meridian list names the jobs"
