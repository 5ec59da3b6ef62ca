"""Users of the machine that nothing else belongs to, and what they type: for tests as root."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager
from os import chown
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OWNER, OTHER = 60124, 60125

# Who may read this checkout, wherever that is; what they make is their own.
CAN_READ = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


def as_user(uid: int, *words: str) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *words)


@contextmanager
def new_folder(uid: int = OWNER) -> Iterator[Path]:
    """A folder that everybody can look into: only what is made in it may keep them out."""
    folder = Path(tempfile.mkdtemp(prefix="meridian-test-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        chown(folder, uid, uid)
        yield folder
    finally:
        shutil.rmtree(folder)


def until(what: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.02)
