"""Where the control socket is made, and who reaches it there."""

from __future__ import annotations

import io
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scheduler.daemon.control_address import ControlAddress
from scheduler.system.log import open_log
from scheduler.system.paths import Paths, entered

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):o}"


@pytest.mark.parametrize(
    ("is_open", "runtime", "before", "modes", "why"),
    [
        (False, "run", None, ("700", "600"), "a user's own, or root's for root alone"),
        (True, "run", None, ("755", "666"), "the machine's: everybody finds it, and nobody else changes it"),
        (True, "run", 0o700, ("755", "666"), "also where an earlier daemon had it for itself"),
        (False, "run", 0o755, ("755", "600"), "a folder that is there is left as it is"),
        (True, "state", None, ("700", "600"), "a state folder is the daemon's alone, whoever asks"),
    ],
)  # fmt: skip
def test_a_machines_socket_is_open_and_any_other_its_users(
    tmp_path: Path,
    is_open: bool,
    runtime: str,
    before: int | None,
    modes: tuple[str, str],
    why: str,
) -> None:
    state, folder = tmp_path / "state", tmp_path / runtime
    if before is not None:
        folder.mkdir()
        folder.chmod(before)
    paths = Paths(tmp_path / "crontab", None, state=state, runtime=folder)
    with entered(state, tmp_path.stat().st_uid):
        address = ControlAddress(lambda: paths, open_log("json", io.StringIO()), is_open=is_open)
        listener = address.listen()
        assert listener is not None
        with closing(listener):
            assert (mode(folder), mode(listener.path)) == modes, why
            assert mode(state) == "700"
