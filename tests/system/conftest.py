"""What tests of the desktop share: a terminal, a bus, programs of a Mac that record their words."""

from __future__ import annotations

import os
import pty
from typing import TYPE_CHECKING

import mac_programs
import pytest
from real_desktop import session_bus
from small_bus import SmallBus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mac_programs import Mac


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal: what a person sees, what programs write to."""
    person, device = pty.openpty()
    try:
        yield person, device
    finally:
        os.close(person)
        os.close(device)


@pytest.fixture
def mac(tmp_path: Path) -> Mac:
    """Install programs with the given shell texts; return an environment that finds them."""

    def installed(osascript: str = "", **others: str) -> dict[str, str]:
        return mac_programs.install(tmp_path, {"osascript": osascript, **others})

    return installed


@pytest.fixture
def real_bus(tmp_path: Path) -> Iterator[str]:
    """A private session bus at $XDG_RUNTIME_DIR/bus of a directory of its own."""
    with session_bus(tmp_path) as address:
        yield address


@pytest.fixture(
    params=[pytest.param("real", marks=pytest.mark.privileged), "small"],
    ids=["dbus-daemon", "small bus"],
)
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A session bus: the real one, and for who does not have that a small one of the tests."""
    if request.param == "real":
        yield request.getfixturevalue("real_bus")
        return
    with SmallBus(tmp_path / "bus") as small:
        yield small.address
