"""Root's daemon runs no crontab that somebody else could change: the real one, and real users."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from users import OTHER, as_user, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Person

pytestmark = [pytest.mark.e2e, pytest.mark.privileged]

GOOD, EVIL = "CRON_NAME=good 0 3 * * * true\n", "CRON_NAME=evil 0 3 * * * true\n"


class Seen:
    """What a daemon of root's logs, and which jobs it has."""

    def __init__(self, person: Person, log: Path) -> None:
        self.person = person
        self.log = log

    def said(self, message: str) -> list[dict[str, Any]]:
        whole = self.log.read_text().rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if line["message"] == message]

    def codes(self) -> list[str]:
        return [problem["code"] for problem in self.said("problem")]

    def jobs(self) -> list[str]:
        """The jobs in force, once the crontabs are read again."""
        self.person.types("reload")
        rows = self.person.types("status", "--json").stdout.splitlines()
        return sorted(each["job"] for each in json.loads(rows[0])["next"])


@contextmanager
def daemon(person: Person, *words: str) -> Iterator[Seen]:
    seen = Seen(person, person.home / "log")
    with seen.log.open("wb") as stream:
        process = person.starts("run", "--log-format", "json", *words, stderr=stream)
        try:
            until(lambda: seen.said("crontabs"))
            yield seen
        finally:
            process.terminate()
            process.communicate(timeout=60)


def does(*words: str) -> None:
    """What the other user does."""
    subprocess.run(as_user(OTHER, *words), check=True)


@pytest.fixture
def shared(person: Person) -> Path:
    """A crontab where the other user gets to."""
    for folder in (person.home, *person.home.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    return Path(person.file(GOOD))


def test_a_crontab_that_another_user_owns_is_refused_and_with_a_word_it_runs(
    person: Person, shared: Path
) -> None:
    os.chown(shared, OTHER, OTHER)
    with daemon(person, str(shared)) as seen:
        assert seen.jobs() == []
        (problem, *_) = seen.said("problem")
        assert problem["text"] == f"it belongs to user {OTHER}, not to root"
    with daemon(person, str(shared), "--trust-owner") as seen:
        assert seen.jobs() == ["good"]
        assert set(seen.codes()) == {"not-roots"}


def test_one_that_is_given_away_under_a_daemon_keeps_its_last_good_version(
    person: Person, shared: Path
) -> None:
    with daemon(person, str(shared)) as seen:
        assert seen.jobs() == ["good"]
        os.chown(shared, OTHER, OTHER)
        does("sh", "-c", f"printf '{EVIL}' >{shared}")
        assert seen.jobs() == ["good"]
        assert seen.codes() == ["not-trusted"]
        assert [(each["file"], each["entries"]) for each in seen.said("kept")] == [(str(shared), 1)]
        os.chown(shared, 0, 0)
        assert seen.jobs() == ["evil"], "root has taken it, as it is now"
        assert len(seen.said("recovered")) == 1


def test_one_whose_folder_another_user_gets_is_not_replaced(person: Person, shared: Path) -> None:
    folder = person.home / "jobs"
    folder.mkdir()
    path = shared.rename(folder / "jobs.crontab")
    with daemon(person, str(path)) as seen:
        assert seen.jobs() == ["good"]
        os.chown(folder, OTHER, OTHER)
        link = f"ln -sf /dev/null {path} && rm {path} && printf '{EVIL}' >{path}"
        does("sh", "-c", link)
        assert seen.jobs() == ["good"]
        assert set(seen.codes()) == {"not-trusted"}


def test_the_folder_of_roots_crontabs_is_refused_while_others_can_write_it(person: Person) -> None:
    """And that is seen and said before the next minute, with what to do."""
    person.has(GOOD.replace("true", "root true"))
    folder = person.crontab.parent
    with daemon(person) as seen:
        assert seen.jobs() == ["good"]
        folder.chmod(0o777)
        until(lambda: seen.said("kept"), 90)
        (problem,) = seen.said("problem")
        why = f"others could put another in its place: {folder}: everybody can write it"
        assert (problem["file"], problem["text"]) == (str(person.crontab), why)
        assert seen.jobs() == ["good"]
        assert f"hint: chmod o-w {folder}" in person.types("check").stdout
        folder.chmod(0o755)
        assert seen.jobs() == ["good"]
        assert len(seen.said("recovered")) == 1


@pytest.mark.parametrize("words", [("edit",), ("install", "{}/a.crontab")])
def test_no_crontab_is_put_into_a_folder_that_others_can_write(
    person: Person, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("EDITOR", "false")
    person.file(person.line("0 0 1 1 *", "true"))
    person.crontab.parent.mkdir(parents=True)
    person.crontab.parent.chmod(0o777)
    result = person.types(*(word.format(person.home) for word in words))
    assert result.exit_code == 1
    assert "others could put another in its place" in result.stderr
    assert not person.crontab.exists()


def test_check_says_what_the_daemon_would_refuse(person: Person, shared: Path) -> None:
    os.chown(shared, OTHER, OTHER)
    result = person.types("check", str(shared))
    assert result.exit_code == 0
    said = "it belongs to user 60125, not to root; meridian run takes it with --trust-owner alone"
    assert said in result.stdout
