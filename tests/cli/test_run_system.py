"""Who may start a system daemon, or check its crontabs, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Person


@pytest.mark.parametrize(
    ("uid", "words", "status", "said"),
    [
        (1000, ("--system",), 1, "--system needs root"),  # who alone runs jobs of other users
        (0, ("--system", "a.crontab"), 2, "name no file with it"),
        (1000, ("--system", "a.crontab"), 2, "name no file with it"),  # wrong whoever asks
    ],
)
def test_a_system_daemon_and_its_check_are_roots_and_reads_the_machines_own_crontabs(
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
    uid: int,
    words: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    for command in ("run", "check"):
        result = person.types(command, *words)
        assert (result.exit_code, said in result.stderr) == (status, True), result.stderr


def test_a_limit_of_users_tables_is_of_a_system_daemon(person: Person) -> None:
    result = person.types("run", "--max-entries", "1000", person.file("0 9 * * * x\n"))
    assert (result.exit_code, "--system alone reads" in result.stderr) == (2, True), result.stderr
