"""How long after its instants a job starts: drawn once for ever, from its name or the machine."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from scheduler.crontab import parser
from scheduler.entry import Settings
from scheduler.schedule import spread as delay

NAMES = st.text("abcdefghij-", min_size=1, max_size=20)


def test_without_a_spread_there_is_none() -> None:
    assert delay.of("job", Settings(), "salt") == 0.0


@given(NAMES, st.integers(1, 86400), st.text(max_size=5))
def test_a_spread_is_a_place_in_it_whatever_the_machine(name: str, spread: int, salt: str) -> None:
    found = delay.of(name, Settings(spread=float(spread)), salt)
    assert 0 <= found < spread
    assert found == int(found) == delay.of(name, Settings(spread=float(spread)), "another")


@given(NAMES, NAMES, st.integers(1, 86400))
def test_random_delay_is_the_machines_whatever_the_job(one: str, other: str, most: int) -> None:
    chosen = Settings(random_delay=float(most))
    found = delay.of(one, chosen, "this machine")
    assert 0 <= found < most
    assert found == delay.of(other, chosen, "this machine")


def test_machines_and_jobs_spread_out() -> None:
    machines = {delay.of("job", Settings(random_delay=3600.0), f"{n}") for n in range(100)}
    jobs = {delay.of(f"job{n}", Settings(spread=3600.0), "") for n in range(100)}
    assert min(len(machines), len(jobs)) > 90


def test_these_are_the_draws_of_every_version() -> None:
    """A job that moves with an upgrade would run twice that day, or not at all."""
    assert delay.of("backup", Settings(spread=3600.0), "") == 2376.0
    assert delay.of("backup", Settings(random_delay=3600.0), "salt") == 953.0


def test_a_crontab_gives_each_entry_its_delay() -> None:
    text = b"RANDOM_DELAY=60\nCRON_SPREAD=1h\nCRON_NAME=a 0 * * * * x\nCRON_NAME=b 0 * * * * x\n"
    table = parser.parse(text, file="f", zone=ZoneInfo("UTC"), salt="s")
    assert not table.problems
    for entry in table.entries:
        assert entry.delay == delay.of(entry.job, entry.settings, "s")
        assert entry.settings.random_delay == 3600.0
        assert ("RANDOM_DELAY", "60") in entry.environment
    assert table.entries[0].delay != table.entries[1].delay
