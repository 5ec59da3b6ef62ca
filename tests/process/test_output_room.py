"""Users who fill their outputs do not take the disk from the journal and from root's jobs."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from spawner_stages import job
from user_stage import user_stage

from scheduler.process import output_room
from scheduler.run import NotStarted

OUTPUT = Path("/var/lib/meridian/outputs/alice.x/1.1")
GIB = 1024**3


@pytest.mark.parametrize(
    ("size", "free", "may", "reason"),
    [
        (10 * GIB, 5 * GIB, True, "there is room"),
        (10 * GIB, GIB // 2, True, "just the twentieth part"),
        (10 * GIB, GIB // 2 - 4096, False, "the last part is root's"),
        (1000 * GIB, GIB, True, "of a large disk a GiB is enough"),
        (1000 * GIB, GIB - 4096, False, "less is not"),
        (10 * GIB, 0, False, "full"),
        (0, 0, True, "a file system that counts nothing has no end"),
    ],
)
def test_the_last_of_the_disk_is_roots(size: int, free: int, may: bool, reason: str) -> None:
    def disk(folder: Path) -> os.statvfs_result:
        assert folder == Path("/var/lib/meridian/outputs")
        blocks = (size // 4096, free // 4096)
        return os.statvfs_result((4096, 4096, blocks[0], blocks[1], blocks[1], 0, 0, 0, 0, 255))

    assert (output_room.refusal(OUTPUT, disk) == "") is may, reason


def test_that_nobody_can_tell_refuses_nothing(tmp_path: Path) -> None:
    assert output_room.refusal(tmp_path / "gone/outputs/x/1.1") == ""


@pytest.mark.privileged
def test_a_user_who_filled_the_disk_starts_nothing_and_root_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where all of the disk is root's own part, it is as where only that is left."""
    monkeypatch.setattr(output_room, "_ROOTS_PART", 1)
    monkeypatch.setattr(output_room, "_MOST_ROOTS", sys.maxsize)
    with user_stage() as stage:
        found = stage.prepare(job("id -u"))
        assert isinstance(found, NotStarted)
        assert "nearly full, and what is left of it is root's" in found.why
        assert stage.run(replace(job("id -u"), user="root"))[1] == b"0\n"
