"""The sender of another user than the daemon's: it becomes that user, then it is as any sender.

    python -I -m scheduler.alerts.user_sender CHANNEL ACCOUNT

It starts as root, so that users need no access to where Meridian is installed, and has loaded the
channel before it becomes the user. Until then it reads nothing of the user's: no variables, no
files, no alert. After that it has nothing of root's, so that its user may do with it as they like.

In: a line of JSON with the outputs that it may read (the number of an open file for each path),
then the deliveries. It copies those outputs into a folder of its user's own, where the channels
find them as in the daemon's state folder; the folder is there as long as the sender.
"""

from __future__ import annotations

import encodings
import importlib
import json
import os
import pkgutil
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.alerts import sender
from scheduler.alerts.channel import NotSent, Place
from scheduler.codec import decode
from scheduler.notice import Channel
from scheduler.process import file_holes
from scheduler.system.accounts import Account
from scheduler.system.become_user import become

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PIECE = 65536


def main(words: Sequence[str]) -> None:
    """Become the user that the words name, and send what comes in."""
    answers = sender.begin()
    channel, told = words
    account = decode(Account, json.loads(told))
    _load(channel)
    become(account)
    outputs = json.loads(sys.stdin.buffer.readline())
    home = Path(account.home)
    memory = home / ".local" / "state" / "meridian"
    if channel == Channel.PUSH:
        with suppress(OSError):  # then what it remembers is lost, and somebody hears a thing twice
            memory.mkdir(0o700, parents=True, exist_ok=True)
    with _copied(outputs) as folder:
        place = Place(folder, home / ".config" / "meridian", os.environ, memory)
        sender.serve(answers, channel, place)


def _load(channel: str) -> None:
    """Load what the channel needs while this process may read it, as charsets of outputs."""
    for each in pkgutil.iter_modules(encodings.__path__):
        with suppress(ImportError):  # it is another system's
            importlib.import_module(f"encodings.{each.name}")
    with suppress(NotSent):  # which is said later, for each delivery
        sender.channel_named(channel)
    if channel == Channel.PUSH:
        for other in (Channel.COMMAND, Channel.DESKTOP, Channel.MAIL):
            sender.channel_named(other)
        apprise_address = importlib.import_module("scheduler.alerts.apprise_address")
        apprise_address.load()


@contextmanager
def _copied(outputs: Mapping[str, int]) -> Iterator[Path]:
    """Copy open outputs into a new folder, under their paths; it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="meridian-"))

    def remove() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    sender.at_end(remove)
    try:
        for path, descriptor in outputs.items():
            with suppress(OSError):  # its user's disk is full, say: it is told as not kept
                _copy(descriptor, folder / path)
        yield folder
    finally:
        remove()


def _copy(descriptor: int, path: Path) -> None:
    """Copy an open file with its holes, which stand for what is not kept of an output."""
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    end = os.fstat(descriptor).st_size
    with path.open("xb", buffering=0) as copy:
        path.chmod(0o600)
        at = 0
        while (at := file_holes.seek(descriptor, "SEEK_DATA", at, end)) < end:
            stop = min(file_holes.seek(descriptor, "SEEK_HOLE", at, end), at + _PIECE)
            piece = os.pread(descriptor, stop - at, at)
            if not piece:
                break
            at += os.pwrite(copy.fileno(), piece, at)
        os.ftruncate(copy.fileno(), end)


if __name__ == "__main__":
    main(sys.argv[1:])
