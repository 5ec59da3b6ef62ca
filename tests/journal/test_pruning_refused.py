"""Old runs that can't go: what the system or the journal refuses is left to the next walk."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pruned_journal import Scene

from scheduler.errors import JournalError
from scheduler.journal.retention import Retention
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path, Retention(runs=3, age=10 * 86400))
    with closing(scene.journal):
        yield scene


def test_a_crash_between_the_file_and_the_row_is_made_good(scene: Scene) -> None:
    scene.ran(5, 4, 3, 2, 1)
    (scene.state / "outputs/job/1.1.log").unlink()
    scene.pass_(120)
    assert scene.ages() == [3, 2, 1]


def test_what_can_not_be_removed_keeps_its_row_and_holds_up_nothing_else(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.ran(5, 4, 3, 2, 1)
    with monkeypatch.context() as accident:
        refusing(accident, "remove", scene.state / "outputs/job/1.1.log", errno.EIO)
        scene.pass_(120)
        assert scene.ages() == [5, 3, 2, 1]
        assert scene.pruning.next_step() is None
    scene.pass_(1300)
    assert scene.ages() == [3, 2, 1]


def test_a_folder_that_a_job_put_in_its_outputs_place_stays_and_keeps_no_row(scene: Scene) -> None:
    """Else a job could let its history grow without end."""
    scene.ran(5, 4, 3, 2, 1)
    path = scene.state / "outputs/job/1.1.log"
    path.unlink()
    path.mkdir()
    scene.pass_(120)
    assert scene.ages() == [3, 2, 1]
    assert path.is_dir()


def test_what_the_journal_refuses_is_begun_anew_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: int) -> None:
        raise JournalError("the disk is full")

    scene.ran(5, 4, 3, 2, 1)
    with monkeypatch.context() as broken:
        broken.setattr(scene.journal.old_runs, "forget", refused)
        scene.clock.advance(60)
        with pytest.raises(JournalError, match="full"):
            scene.pruning.step(scene.jobs)
        scene.pruning.step(scene.jobs)  # it is not tried again at once
    scene.pass_(120)
    assert scene.ages() == [3, 2, 1]


REFUSALS = [errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EIO, errno.ENOMEM]


def refusing(accident: pytest.MonkeyPatch, name: str, at: Path, number: int) -> None:
    """Let the system refuse one call of `inside`, for one path."""
    real = getattr(state_files, name)

    def call(path: Path) -> Any:
        if path == at:
            raise OSError(number, os.strerror(number), str(path))
        return real(path)

    accident.setattr(state_files, name, call)


@pytest.mark.parametrize("number", REFUSALS)
@pytest.mark.parametrize(
    ("name", "at", "met"),
    [
        ("listed", "outputs", []),
        ("listed", "outputs/refused", ["other"]),
        ("remove", "outputs/refused/7.1.log", ["other", "refused"]),
    ],
)
def test_what_the_system_refuses_is_quietly_left_to_the_next_walk(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int, name: str, at: str, met: list[str]
) -> None:
    old = scene.file(7, job="refused", age=11)
    for job in ("other", "refused"):
        scene.file(8, job=job)
    with monkeypatch.context() as accident:
        refusing(accident, name, scene.state / at, number)
        scene.pass_(120)
        assert (old.exists(), sorted(path.parent.name for path in scene.met)) == (True, met)
    scene.pass_(660)
    assert not old.exists()
    assert {path.parent.name for path in scene.met} == {"other", "refused"}


@pytest.mark.parametrize("job", ["job", "unknown"])
def test_without_a_descriptor_nothing_is_lost_and_nothing_fails(scene: Scene, job: str) -> None:
    """The real thing; a step has to end where there is none for the folder it looks into."""
    scene.ran(5, 4, 3, 2, 1)
    scene.file(9, job=job, age=11)
    with no_descriptors():
        scene.pass_(120)
        assert scene.pruning.next_step() is None
    assert scene.ages() == [5, 4, 3, 2, 1]
    assert {1, 2, 3, 4, 5} <= set(scene.files())
    assert 9 in scene.files(job)
    scene.pass_(660)
    assert scene.ages() == [3, 2, 1]
    assert 9 not in scene.files(job)


@contextmanager
def no_descriptors() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(each.name) for each in Path("/dev/fd").iterdir())
    hoard: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, limits[1]))
        with suppress(OSError):
            while True:
                hoard.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in hoard:
            os.close(descriptor)


def test_a_clock_that_says_2036_for_an_hour_costs_a_day_at_most(scene: Scene) -> None:
    scene.kept = scene.pruning._kept = Retention(runs=1000, age=10 * 86400)
    scene.ran(9.5, 8.5, 7.5, 1)
    scene.pass_(120)
    real = scene.clock.now()
    scene.clock.set(datetime(2036, 1, 1, tzinfo=UTC))
    scene.pass_(3600)
    assert scene.ages() == [8.5, 7.5, 1]
    scene.new_daemon()  # nor does a restart forget what it was
    scene.pass_(120)
    assert scene.ages() == [8.5, 7.5, 1]
    scene.clock.set(real + timedelta(hours=1))
    scene.pass_(3600)
    assert scene.ages() == [8.5, 7.5, 1]
