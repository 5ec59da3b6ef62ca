"""The README tells the truth: its commands, settings, files and examples are the real ones."""

import re
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import typer.main

from scheduler import crontab, settings
from scheduler.cli import app
from scheduler.model import RetryPolicy, Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app)


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def spelt_out(text: str) -> set[str]:
    """Every CRON_ name of a text, `CRON_RETRY_DELAY` `_FACTOR` counting as CRON_RETRY_FACTOR."""
    found: set[str] = set()
    family = ""
    for name in re.findall(r"`((?:CRON)?_[A-Z_]+)`", text):
        if name.startswith("CRON_"):
            family = "CRON_RETRY" if name.startswith("CRON_RETRY_") else name
            found.add(name)
        else:
            found.add(family + name)
    return found


def test_every_command_named_in_the_readme_exists_and_none_is_left_out() -> None:
    named = {*re.findall(r"meridian ([a-z]+)\b", README)}
    real = set(COMMANDS.list_commands(None))  # type: ignore[attr-defined]  # a group
    assert named == real


def test_the_table_of_settings_is_the_one_that_acts() -> None:
    table = section("The language").split("| setting |")[1].split("\n\n")[0]
    acting = {name for name, setting in settings.TABLE.items() if setting.acts}
    assert spelt_out(table) == acting


def test_what_is_not_supported_yet_is_said_to_be() -> None:
    paragraph = section("The language").split("**Not supported yet**")[1].split(";")[0]
    waiting = {name for name, setting in settings.TABLE.items() if not setting.acts}
    assert spelt_out(paragraph) == waiting


def named(row: str) -> str:
    """The name that a row's tests carry: its first cell, up to a bracket, as one word."""
    cell = row.split("|")[1].split("(", maxsplit=1)[0].replace("'", "")
    return re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_")


def test_in_spring_and_in_autumn_every_row_on_time_is_tested() -> None:
    """Those of all tables in "The rules" that stand under a heading which begins with "Time"."""
    parts = [part for part in section("The rules").split("\n### ") if part.startswith("Time")]
    bodies = re.findall(r"^\| ---.*\n((?:\|.*\n)+)", "\n".join(parts), re.MULTILINE)
    rows = {named(row) for body in bodies for row in body.splitlines()}
    tests = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/test_*.py"))
    for season in ("spring", "autumn"):
        assert set(re.findall(rf"^def test_(\w+)_in_{season}\(", tests, re.MULTILINE)) == rows


def test_the_defaults_in_the_table_are_the_real_ones() -> None:
    plain = RetryPolicy()
    assert "| 30s, 2, 10m, 0.1 |" in README
    assert (plain.delay, plain.factor, plain.max_delay, plain.jitter) == (30, 2, 600, 0.1)
    assert "| attempts after the first | 3 |" in README
    assert plain.retries == 3
    assert "| none, 10s |" in README
    assert (Settings().timeout, Settings().kill_after) == (None, 10)


def test_the_example_of_a_problem_is_what_check_prints() -> None:
    lines = README.split("\n    crontabs/invalid/")[1].split("\n\n")[0]
    example = "\n".join(line[4:] for line in f"    crontabs/invalid/{lines}".splitlines())
    file = example.split(":")[0]
    command = [sys.executable, "-m", "scheduler", "check", file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout + done.stderr).strip() == example.strip()
    assert done.returncode == 1


def test_the_crontab_at_the_top_is_read_without_a_problem() -> None:
    text = README.split("backoff, and\nremembers what happened and why.\n\n")[1].split("\n\n")[0]
    table = crontab.parse(text.encode(), file="README.md", zone=ZoneInfo("UTC"))
    assert not table.problems
    assert len(table.entries) == 4


def test_every_file_and_target_named_in_the_readme_is_there() -> None:
    for path in re.findall(r"(?<![/\w])((?:crontabs|systemd|tests|scheduler)/[\w./-]*\w)", README):
        assert (ROOT / path).exists(), path
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert set(re.findall(r"(?:sudo |`|    )make ([a-z-]+)", README)) <= targets


@pytest.mark.parametrize(
    "path", sorted((ROOT / "crontabs").glob("*.crontab")), ids=lambda p: p.name
)
def test_every_crontab_that_ships_is_read_without_a_problem(path: Path) -> None:
    table = crontab.parse(path.read_bytes(), file=path.name, zone=ZoneInfo("UTC"))
    assert not table.problems
    assert table.entries


def test_what_is_installed_is_what_was_tested() -> None:
    tested, installed = (
        set(re.findall(r"^\S+==\S+|--hash=\S+", (ROOT / ".ci" / lock).read_text(), re.MULTILINE))
        for lock in ("requirements.lock", "install.lock")
    )
    assert installed < tested
    assert any(pin.startswith("typer==") for pin in installed)


def test_the_readme_and_the_package_hold_no_placeholder() -> None:
    for word in ("FIGURES\n", "TODO", "XXX"):
        assert word not in README
