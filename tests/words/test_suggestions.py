"""What a word that nobody knows was meant for; and that ten thousand names cost no more than few."""

from __future__ import annotations

import difflib
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.suggestions import FEW_NAMES, did_you_mean, job, nearest

ROOT = Path(__file__).parent.parent.parent
SYLLABLES = (
    "al ba ce do ek fu gin hor it jo kel lum mi nor op pre qui ra sto tem ul vi wex yo zan".split()
)
_random = random.Random(7)
MANY = sorted(
    {"-".join("".join(_random.sample(SYLLABLES, 3)) for _ in range(2)) for _ in range(10_000)}
)
LONG = [f"{'copy-of-the-machine-' * 4}{name}"[-98:] for name in MANY]  # as long as a name may be


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["a"], "did you mean a?"),
        (["a", "b", "c"], "did you mean a or b or c?"),
    ],
)
def test_what_is_suggested_is_asked_in_one_way(names: list[str], said: str) -> None:
    assert did_you_mean(names) == said


def test_without_a_suggestion_the_jobs_are_where_list_has_them() -> None:
    assert job("zzz", ["backup"]) == "meridian list names the jobs"
    assert job("bakcup", ["backup"], {"backup", "report"}) == "did you mean backup?"


def slips(name: str, at: int) -> dict[str, str]:
    """What a person types instead of a name, wrong in one place."""
    return {
        "one letter too few": name[:at] + name[at + 1 :],
        "one too many": f"{name[:at]}x{name[at:]}",
        "another letter": f"{name[:at]}#{name[at + 1 :]}",
        "two the wrong way round": name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :],
    }


@given(st.sampled_from(MANY), st.floats(0, 1, exclude_max=True))
def test_of_ten_thousand_names_the_one_that_was_mistyped_is_found(name: str, where: float) -> None:
    """Or one that is no less like what was typed."""
    for kind, typed in slips(name, int(where * len(name))).items():
        if typed not in MANY:
            alike = [difflib.SequenceMatcher(None, each, typed).ratio() for each in (*nearest(typed, MANY), name)]  # fmt: skip
            assert len(alike) == 2, kind
            assert alike[0] >= alike[1], (kind, typed, nearest(typed, MANY))


@given(st.text("abc-", min_size=1, max_size=12), st.sets(st.text("abc-", min_size=1, max_size=12), max_size=FEW_NAMES))  # fmt: skip
def test_of_few_names_all_are_compared(word: str, known: set[str]) -> None:
    best = max((difflib.SequenceMatcher(None, each, word).ratio() for each in known), default=0)
    found = nearest(word, known)
    assert len(found) == (best >= 0.6)
    assert [difflib.SequenceMatcher(None, each, word).ratio() for each in found] in ([], [best])


@pytest.mark.parametrize("names", [MANY, LONG], ids=["short", "long"])
@pytest.mark.parametrize("word", [LONG[5000].replace("-", "_"), "x" * 98, "é" * 5000, ""], ids=len)
def test_few_of_many_names_are_compared_letter_by_letter(
    monkeypatch: pytest.MonkeyPatch, names: list[str], word: str
) -> None:
    """It is asked on the daemon's loop. The count is the cost: each takes a tenth of a millisecond."""
    compared: list[str] = []
    plain = difflib.SequenceMatcher.set_seq1

    def counts(self: difflib.SequenceMatcher[str], text: str) -> None:
        compared.append(text)
        plain(self, text)

    monkeypatch.setattr(difflib.SequenceMatcher, "set_seq1", counts)
    nearest(word, names, most=3, alike=0.5)
    assert 0 < len(compared) <= FEW_NAMES
    assert max(map(len, compared)) <= 100


def test_nothing_else_compares_words_or_asks_what_was_meant() -> None:
    for path in sorted((ROOT / "scheduler").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path.name != "suggestions.py":
            assert not re.search(r"get_close_matches|did you mean ", text), path
