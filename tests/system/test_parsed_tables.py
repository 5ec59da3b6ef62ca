"""A crontab that is the same as at the last reading is parsed once."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from scheduler.crontab import parser
from scheduler.errors import SourceRefused
from scheduler.schedule import zone_data
from scheduler.system import crontab_loader
from scheduler.system.crontab_loader import ReadOptions

UTC = ZoneInfo("UTC")
PLAIN = "0 5 * * * x\n"
IN_TOKYO = "CRON_TZ=Asia/Tokyo 0 5 * * * x\n"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were parsed, in order."""
    files: list[str] = []
    real = parser.parse

    def parse(data: bytes, *, file: str, **how: object) -> object:
        files.append(Path(file).name)
        return real(data, file=file, **how)  # type: ignore[arg-type]  # what the loader gives

    monkeypatch.setattr(parser, "parse", parse)
    return files


def load(folder: Path, how: ReadOptions, *names: str) -> list[str]:
    loaded = crontab_loader.load([str(folder / name) for name in names], how)
    return [each.command for each in loaded.entries]


@pytest.fixture
def how() -> ReadOptions:
    return ReadOptions(1000, "alice", UTC, named=True)


def test_the_edit_of_one_costs_the_time_of_one(
    tmp_path: Path, how: ReadOptions, parsed: list[str]
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(PLAIN)
    assert load(tmp_path, how, "a", "b") == ["x", "x"]
    (tmp_path / "b").write_text("0 5 * * * y\n")
    assert load(tmp_path, how, "a", "b") == ["x", "y"]
    assert parsed == ["a", "b", "b"]


@pytest.mark.parametrize(
    ("text", "times", "reason"),
    [
        (PLAIN, 1, "nothing can have changed"),
        (IN_TOKYO, 1, "nor can it here"),
        ("CRON_NAME= 0 5 * * * x\n\nLOGNAME=a\n", 1, "a warning is the same again"),
        (PLAIN + "61 5 * * * y\n", 2, "what an error depends on may have changed"),
        ("CRON_EXCEPT=days.txt 0 5 * * * x\n", 2, "so may a calendar"),
    ],
)
def test_what_depends_on_nothing_else_is_parsed_once(
    tmp_path: Path, how: ReadOptions, parsed: list[str], text: str, times: int, reason: str
) -> None:
    (tmp_path / "a").write_text(text)
    (tmp_path / "days.txt").write_text("2027-12-24\n")
    assert load(tmp_path, how, "a") == load(tmp_path, how, "a")
    assert len(parsed) == times, reason


def test_zones_with_other_data_are_taken(
    tmp_path: Path, how: ReadOptions, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text(IN_TOKYO)
    load(tmp_path, how, "a")
    other = ZoneInfo.no_cache("Asia/Tokyo")
    monkeypatch.setattr(zone_data, "named", lambda _: other)
    (entry,) = crontab_loader.load([str(tmp_path / "a")], how).entries
    assert entry.zone is other
    assert len(parsed) == 2


def test_one_that_can_not_be_read_is_not_what_it_was(
    tmp_path: Path, how: ReadOptions, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text(PLAIN)
    load(tmp_path, how, "a")

    def refuse(file: str, _: ReadOptions) -> None:
        raise SourceRefused(file, "not-trusted", "others can write it")

    monkeypatch.setattr(crontab_loader, "read_file", refuse)
    assert load(tmp_path, how, "a") == []
    assert parsed == ["a"]


def test_what_is_read_no_more_is_forgotten(
    tmp_path: Path, how: ReadOptions, parsed: list[str]
) -> None:
    (tmp_path / "a").write_text(PLAIN)
    for names in (("a",), (), ("a",)):
        load(tmp_path, how, *names)
    assert parsed == ["a", "a"]
