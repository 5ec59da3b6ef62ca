"""A thousand journals with a few flipped bytes: each time a daemon starts, and doubles nothing.

FLIPS=10000 flips as often. Of each trial the number is told, which draws the same bytes again.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from flipped_journal import killed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Person
    from flipped_journal import Dead, Trial

FLIPS = int(os.environ.get("FLIPS", "1000"))
BATCHES = 8
COMMANDS = (
    *(("history",), ("history", "--json"), ("history", "fails"), ("history", "1"), ("logs", "1")),
    *(("why", "fails"), ("why", "1"), ("logs", "fails"), ("history", "--jumps")),
    *(("status",), ("status", "--check"), ("status", "--json"), ("list",), ("next",)),
)
# Those that have another answer to give go on without it; a monitor has exit statuses of its own.
EXITS = {"list": 0, "next": 0, "status": 1}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + FLIPS)]  # hundreds of damaged journals


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a journal waits for no disk, if there is such a place: it is written often."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=memory) as found:
        yield Path(found)


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Dead:
    return killed(tmp_path_factory.mktemp("killed"))


@pytest.fixture(scope="module", params=["with its log", "written back"])
def journal(dead: Dead, request: pytest.FixtureRequest) -> Dead:
    return dead if request.param == "with its log" else dead.written_back()


@pytest.fixture
def undamaged(journal: Dead, folder: Path) -> Trial:
    return journal.trial(folder / "undamaged", journal.files)


def test_without_a_flip_nothing_is_said_and_all_goes_on(undamaged: Trial) -> None:
    assert undamaged.faults(undamaged) == []
    assert not undamaged.is_told()


@pytest.mark.parametrize("batch", range(BATCHES // 2))
def test_whatever_is_flipped_a_daemon_starts_says_so_and_doubles_nothing(
    journal: Dead, undamaged: Trial, folder: Path, batch: int
) -> None:
    told: Counter[bool] = Counter()
    for number in range(batch, FLIPS // 2, BATCHES // 2):
        files = journal.flipped(random.Random(number))
        trial = journal.trial(folder / "trial", files)
        assert trial.faults(undamaged) == [], f"trial {number}"
        told[trial.is_told()] += 1
    assert told[True] > told.total() // 4  # or the bytes were not those that anybody reads


def test_whatever_is_flipped_a_command_answers_or_says_so_in_a_sentence(
    journal: Dead, person: Person
) -> None:
    person.has(person.line("* * * * *", "true"))
    refused = 0
    for number in range(FLIPS // 10):
        journal.lay(person.state, journal.flipped(random.Random(number)))
        words = COMMANDS[number % len(COMMANDS)]
        result = person.types(*words)
        assert result.exit_code in (0, 1, 2), (number, words)
        if "is damaged" in result.stderr:
            refused += 1
            lines = [line for line in result.stderr.splitlines() if "is damaged" in line]
            assert len(lines) == 1, (number, words, lines)
            assert str(person.state / "journal.db") in lines[0]
            assert "moves it aside" in lines[0]
            assert result.exit_code == EXITS.get(words[0], 1), (number, words)
    assert refused > 0
