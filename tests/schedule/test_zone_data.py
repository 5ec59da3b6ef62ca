"""Zones by name, as their files have them now: found, damaged, replaced, and by which database."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from zonefiles import BERLIN, DAMAGES, PACKAGE, database, moved, put

from scheduler.crontab import setting_values
from scheduler.errors import BadValue
from scheduler.schedule import zone_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "Europe/Berlin"


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Path]:
    with database(tmp_path / "zoneinfo") as folder:
        yield folder


def noon(name: str) -> timedelta | None:
    return zone_data.named(name).utcoffset(datetime(2040, 1, 1, 12))


def test_the_machines_files_come_before_the_packages(system: Path) -> None:
    assert noon(NAME) == timedelta(hours=1)
    put(system, NAME, moved(BERLIN))
    zone_data.renew()
    assert noon(NAME) == timedelta(hours=3)
    assert zone_data.named(NAME).key == NAME


def test_a_zone_is_one_object_until_its_file_is_another(system: Path) -> None:
    put(system, NAME)
    first, other = zone_data.named(NAME), zone_data.named("Asia/Tokyo")
    zone_data.renew()
    assert (zone_data.named(NAME), zone_data.named("Asia/Tokyo")) == (first, other)
    put(system, NAME, moved(BERLIN))
    assert zone_data.outdated() == {NAME}
    assert zone_data.named(NAME) is first  # until told: all entries of a crontab go by one
    zone_data.renew()
    assert zone_data.named(NAME) is not first
    assert zone_data.named("Asia/Tokyo") is other
    assert zone_data.outdated() == frozenset()


def test_what_nobody_asks_for_any_more_is_forgotten(system: Path) -> None:
    put(system, NAME)
    first = zone_data.named(NAME)
    zone_data.renew()
    put(system, NAME, moved(BERLIN))
    assert zone_data.outdated() == frozenset()
    zone_data.renew()
    assert zone_data.named(NAME) is not first


@pytest.mark.parametrize("why", DAMAGES)
def test_a_damaged_file_is_no_zone_and_the_package_does_not_stand_in(
    system: Path, why: str
) -> None:
    file = put(system, NAME, DAMAGES[why](BERLIN))
    for _ in range(2):  # what is remembered as damaged is so when asked again
        with pytest.raises(BadValue, match="is damaged") as raised:
            setting_values.zone(NAME)
        assert raised.value.code == "damaged-zone"
        assert raised.value.message.startswith(f"the zone file {file} is damaged: {why}")
        assert raised.value.hint == "install tzdata again"
    assert zone_data.outdated() == frozenset()
    put(system, NAME)
    assert zone_data.outdated() == {NAME}


def test_a_file_that_cannot_be_read_is_damaged(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(system, NAME)

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(BadValue, match="it can't be read: Permission denied"):
        setting_values.zone(NAME)


def test_a_zone_that_comes_with_new_data_is_one(system: Path) -> None:
    with pytest.raises(BadValue, match="there is no time zone 'Mars/Olympus'"):
        setting_values.zone("Mars/Olympus")
    assert zone_data.outdated() == frozenset()
    put(system, "Mars/Olympus", BERLIN)
    assert zone_data.outdated() == {"Mars/Olympus"}
    zone_data.renew()
    assert setting_values.zone("Mars/Olympus").key == "Mars/Olympus"


def test_a_zone_that_goes_is_none_any_more(system: Path) -> None:
    put(system, "Mars/Olympus", BERLIN)
    assert setting_values.zone("Mars/Olympus").key == "Mars/Olympus"
    (system / "Mars/Olympus").unlink()
    assert zone_data.outdated() == {"Mars/Olympus"}
    zone_data.renew()
    with pytest.raises(BadValue, match="no time zone"):
        setting_values.zone("Mars/Olympus")


@pytest.mark.parametrize(
    "text", ["/etc/localtime", "../zoneinfo/Europe/Berlin", "Europe/./Berlin", "a\0b", "", "/", "tzdata.zi", "a" * 300]
)  # fmt: skip
def test_what_is_no_name_is_no_zone(system: Path, text: str) -> None:
    put(system, NAME)
    (system / "tzdata.zi").write_text("# version 2027a\n")
    with pytest.raises(BadValue) as raised:
        setting_values.zone(text)
    assert raised.value.code == "unknown-zone"


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "/nowhere"])
def test_what_was_journalled_of_a_zone_that_is_gone_is_shown_in_utc(name: str) -> None:
    assert zone_data.named_or_utc(name) is zone_data.UTC_ZONE
    assert zone_data.named_or_utc(NAME) is zone_data.named(NAME)


def test_utc_is_there_whatever_becomes_of_its_file(system: Path) -> None:
    put(system, "UTC", b"")
    assert zone_data.UTC_ZONE.key == "UTC"
    assert zone_data.UTC_ZONE.utcoffset(None) == timedelta(0)


# --- which database ------------------------------------------------------------------------------

VERSIONS = [
    ({"tzdata.zi": "# version 2027a\n# more\n"}, "2027a", "tz's own source, as Debian has it"),
    ({"+VERSION": "2027b\n"}, "2027b", "BSD and macOS"),
    ({"tzdata.zi": "R A 1916\n", "+VERSION": "2027b\n"}, "2027b", "a source that says none"),
    ({}, "", "nobody can tell"),
]


@pytest.mark.parametrize(("files", "version", "why"), VERSIONS)
def test_a_database_says_which_version_it_is(
    system: Path, files: dict[str, str], version: str, why: str
) -> None:
    put(system, NAME)
    for name, text in files.items():
        (system / name).write_text(text)
    assert zone_data.databases([NAME]) == (
        zone_data.ZoneDatabase(str(system), version, (NAME,)),
    ), why


def test_zones_may_come_from_two_databases_and_a_file(system: Path) -> None:
    put(system, NAME)
    alone = put(system.parent, "localtime", BERLIN)
    packaged = (PACKAGE / "tzdata.zi").read_text().split()[2]
    found = zone_data.databases([NAME, "Asia/Tokyo", "UTC", str(alone), "Mars/Olympus"])
    assert found == (
        zone_data.ZoneDatabase(str(alone), "", (str(alone),)),
        zone_data.ZoneDatabase("the tzdata package", packaged, ("Asia/Tokyo", "UTC")),
        zone_data.ZoneDatabase(str(system), "", (NAME,)),
    )


def test_a_file_has_a_twin_in_the_database_or_none(system: Path) -> None:
    assert zone_data.twin((PACKAGE / "Asia/Tokyo").read_bytes()) == "Asia/Tokyo"
    assert zone_data.twin((PACKAGE / "UTC").read_bytes()) == "UTC"
    oslo = (PACKAGE / "Europe/Oslo").read_bytes()
    assert zone_data.twin(oslo) == "Europe/Berlin"  # which the database lists for Norway, too
    assert zone_data.twin(oslo, "Europe/Oslo") == "Europe/Oslo"
    assert zone_data.twin(oslo, "Asia/Tokyo") == "Europe/Berlin"
    assert zone_data.twin(moved(BERLIN)) is None
    put(system, "Mars/Olympus", moved(BERLIN))
    zone_data.renew()
    assert zone_data.twin(moved(BERLIN)) == "Mars/Olympus"
