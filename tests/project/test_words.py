"""One idea has one word: those that were given up stand nowhere, in code, documents or messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("scheduler", "tests", "docs", "crontabs", "systemd")
KINDS = (".py", ".md", ".sql", ".crontab", ".service", ".c")

# What a stranger would not search for, by the word that stands in its place.
GONE = {
    "archive, archives": "queries",
    "befall, befell": "happen to",
    "bequeath": "leave to the next daemon",
    "board": "status view",
    "bounds": "lowest and highest, cap, limit",
    "call off, calls off, called off": "cancel",
    "desk": "requests",
    "doom, dooms, doomed": "cancelled, terminated",
    "fate, fates": "outcome",
    "follow": "watch a file grow, come after",
    "heed, heeds": "obey, read",
    "herald": "log listener, logged once",
    "heritage": "recovery",
    "hold": "wait, keep, last",
    "hurry, hurries": "start at once",
    "hushed": "quiet",
    "lapsed": "too late",
    "leaving": "shutdown",
    "ledger": "transaction",
    "let in, lets in, let … in, lets … in": "admit",
    "line up, lines up": "enqueue",
    "lose patience, loses patience": "time out",
    "marks": "the variables that a process is known by",
    "meet, meets": "overlap, find",
    "opening": "start",
    "orders": "manual, requests",
    "pass over, passes over, passed over": "skip",
    "places": "paths",
    "put back, puts back": "requeue, restore",
    "relive, relives": "run again",
    "remark, remarks": "warning",
    "renewal": "repair",
    "roster": "entries in force",
    "story, stories": "events",
    "stranger, strangers": "another user, another process",
    "take heart, takes heart": "try again",
    "take in, takes in": "adopt, read",
    "turns": "order",
    "unlived": "not handled yet",
    "watch": "supervise, look at",
    "weed, weeds": "prune",
}
# Where such a word is another's own term.
ELSEWHERE = re.compile(
    r"""
    follow_symlinks | pytest\.param\(.*marks=                  # Python's, pytest's
    | \w*_PRESSURE_WATCH | "WATCH" | inotify_(?:add|rm)_watch  # systemd's, the kernel's
    | --watch | --follow                                      # as watch(1) and tail(1) have it
    | [ ]in[ ](?:which|so[ ]many|this[ ]process)              # who lets time pass "in which"
    """,
    re.VERBOSE,
)
OPTIONS = {"scheduler/cli/commands/status.py": "watch", "scheduler/cli/commands/logs.py": "follow"}


def spelt(words: str) -> str:
    """The expression of these words, also as parts of a name_with_parts; `…` is a few others."""
    plain = (re.escape(word).replace(r"\ ", "[ _]") for word in words.split(", "))
    each = "|".join(word.replace("…", r"\w+(?: \w+){0,2}") for word in plain)
    return rf"(?<![A-Za-z0-9])(?:{each})(?![A-Za-z0-9])"


def texts() -> dict[str, str]:
    """Each file of the project that people read, by its name."""
    below = [
        path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in KINDS
    ]
    files = [
        *ROOT.glob("*.md"),
        ROOT / "Makefile",
        ROOT / "pyproject.toml",
        ROOT / ".ci/run",
        *below,
    ]
    return {
        str(path.relative_to(ROOT)): ELSEWHERE.sub("", path.read_text(encoding="utf-8"))
        for path in files
        if path != Path(__file__)
    }


TEXTS = texts()


def test_the_texts_are_there() -> None:
    assert {"README.md", "scheduler/daemon/loop.py", "docs/rules.md"} <= TEXTS.keys()


@pytest.mark.parametrize("words", GONE)
def test_a_word_that_was_given_up_stands_nowhere(words: str) -> None:
    gone = re.compile(spelt(words), re.IGNORECASE)
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in TEXTS.items()
        for number, line in enumerate(text.splitlines(), 1)
        if gone.search(line) and OPTIONS.get(name) not in words.split(", ")
    ]
    assert found == [], f"write: {GONE[words]}"
