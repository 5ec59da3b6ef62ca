"""An attempt's output file in, the end of it out, as somebody else may read it.

More is read than is told, so that a secret that begins before it is known, too.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from scheduler import redact
from scheduler.printable import screened
from scheduler.process.output_files import Omitted, Reader
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LOOK_BACK = 65_536  # bytes before what is told
_KEPT_NO_MORE = "(its output is not kept any more)"
_NOT_KEPT = "\n(… not kept …)\n"


def tail_of(file: Path, most: int, secrets: Iterable[str] = ()) -> str:
    """Return the last characters of an output, without secrets or what steers a terminal.

    `secrets` are the fingerprints that its attempt's facts have.

    A file that is gone is told as gone; one that a job has put in its place is none.
    """
    try:
        size = state_files.status(file).st_size
        with closing(Reader(file, max(0, size - most - _LOOK_BACK))) as reader:
            read = "".join(
                _NOT_KEPT if isinstance(piece, Omitted) else piece.decode("utf-8", "replace")
                for piece in reader.pieces()
            )
    except OSError:
        return _KEPT_NO_MORE
    return redact.text(None, screened(read), secrets).strip("\n")[-most:]
