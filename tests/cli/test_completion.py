"""What a shell completes at Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from commands import COMMANDS, completed

from scheduler.cli import completion
from scheduler.cli.option_parser import parser_of
from scheduler.journal.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from conftest import Person


NOON = datetime(2027, 3, 28, 10, 0, tzinfo=UTC)  # in Berlin


def completed_by_bash(line: str) -> list[str]:
    """What bash is offered for it, which asks a process of its own."""
    asking = {
        "_MERIDIAN_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    command = (sys.executable, "-c", "from scheduler.cli import main; main()")
    done = subprocess.run(
        command, env={**os.environ, **asking}, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.split()


def ran(folder: Path, *jobs: str) -> None:
    folder.mkdir(exist_ok=True)
    with closing(Journal.open(folder / "journal.db")) as journal:
        for job in jobs:
            journal.claim(job, NOON, "UTC")


def test_a_shell_completes_names_from_the_journal_and_the_crontab(person: Person) -> None:
    ran(person.state, "backup", "report")
    person.has("CRON_NAME=bake " + person.line("0 9 * * *", "x"))
    assert completed_by_bash("meridian trigger ba") == ["backup", "bake"]
    assert completed("meridian trigger ba") == ["backup", "bake"]
    assert completed("meridian pause report ba") == ["backup", "bake"]
    for command in ("logs", "why"):
        assert completed(f"meridian {command} rep") == ["report"]


def test_it_looks_into_the_state_folder_that_was_named(person: Person) -> None:
    ran(person.home / "other", "elsewhere")
    assert completed(f"meridian resume --state {person.home}/other ") == ["elsewhere"]


def test_where_there_is_nothing_it_completes_nothing(person: Person) -> None:
    assert completed("meridian trigger ") == []
    person.state.mkdir()
    (person.state / "journal.db").write_bytes(b"no database at all, but long enough to be one")
    person.has("CRON_NAME=fine " + person.line("0 9 * * *", "x"))
    assert completed("meridian trigger ") == ["fine"]


def test_a_large_crontab_keeps_nobody_waiting(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    person.has("CRON_NAME=fine " + person.line("0 9 * * *", "x"))
    assert completion._in_crontabs(None) == ["fine"]
    monkeypatch.setattr(completion, "_LARGEST", 10)
    assert completion._in_crontabs(None) == []


def test_a_shell_offers_each_word_of_an_option_that_takes_one_of_some() -> None:
    found = {}
    for name, command in COMMANDS.items():
        asking = command.make_context(name, [], resilient_parsing=True)
        for each in command.params:
            if (parser := parser_of(each)) is not None and parser.choices:
                offered = [word.value for word in each.shell_complete(asking, "")]
                found[f"{name} {each.name}"] = offered == list(parser.choices)
    assert {"service action", "run output_to"} <= found.keys()
    assert all(found.values()), found
    assert completed("meridian service in") == ["install"]
