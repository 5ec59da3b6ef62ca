"""An attempt's output file and a room in, its head and tail as somebody else may read them out.

Only the parts that are told are read, whatever the size of the file. Some more is read round each,
so that a secret that the cut goes through is known, too.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler import own_secrets, redact
from scheduler.printable import screened
from scheduler.process.output_files import Omitted, Reader
from scheduler.system import state_files
from scheduler.text import of_size

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_READ_ROUND = 16_384  # bytes read beyond what is told
_KEPT_NO_MORE = "(its output is not kept any more)"
_TOO_MANY_SECRETS = "(its output is not sent: it may have too many secrets to look for)"


@dataclass(frozen=True, slots=True)
class OutputExcerpt:
    """What is told of an output; `is_whole` is False where something of it is left out.

    `text` ends with a newline unless it is empty. `is_kept` is False where there is no such file
    any more, or a job has put something else in its place.
    """

    text: str
    is_whole: bool = True
    is_kept: bool = True


def excerpt(
    file: Path, most: int, charset: str = "utf-8", secrets: Collection[str] = ()
) -> OutputExcerpt:
    """Return an output, of a long one about `most` characters: a third of its head, then its tail.

    Secrets are stars, colours are left out, and what steers a terminal is written as an escape, as
    are bytes that the charset does not have. `secrets` are fingerprints of the job's own, see
    `own_secrets`; where there are too many, a sentence stands for the output.
    """
    try:
        size = state_files.status(file).st_size
        if size and tuple(secrets) == own_secrets.TOO_MANY:
            return OutputExcerpt(_ended(_TOO_MANY_SECRETS), is_whole=False)
        if size <= most:
            data, is_whole = _read(file, 0, size)
            return OutputExcerpt(_ended(_told(data, charset, secrets)), is_whole)
        room = most // 3
        head, _ = _read(file, 0, room + _READ_ROUND)
        begin = max(0, size - (most - room) - _READ_ROUND)
        tail, _ = _read(file, begin, size)
    except OSError:
        return OutputExcerpt("", is_whole=False, is_kept=False)
    first = _cut_head(_told(head, charset, secrets), room)
    last = _cut_tail(_told(tail, charset, secrets), most - room)
    gap = f"[... about {of_size(size - most)} of {of_size(size)} left out here ...]"
    return OutputExcerpt(f"{_ended(first)}\n{gap}\n\n{_ended(last)}", is_whole=False)


def tail(file: Path, most: int, secrets: Collection[str] = ()) -> str:
    """Return the last characters of an output, as `excerpt` shows it; a sentence if it is gone."""
    try:
        size = state_files.status(file).st_size
        if size and tuple(secrets) == own_secrets.TOO_MANY:
            return _TOO_MANY_SECRETS
        data, _ = _read(file, max(0, size - most - _READ_ROUND), size)
    except OSError:
        return _KEPT_NO_MORE
    return _cut_tail(_told(data, "utf-8", secrets).strip("\n"), most)


def _read(file: Path, begin: int, end: int) -> tuple[bytes, bool]:
    """Return what the file has from `begin` to `end`, and whether nothing of it is left out."""
    found: list[bytes] = []
    is_whole = True
    with closing(Reader(file, begin)) as reader:
        for piece in reader.pieces():
            if isinstance(piece, Omitted):
                is_whole = False
                found.append(b"\n[... some output is not kept ...]\n")
            else:
                found.append(piece[: max(0, len(piece) - (reader.position - end))])
            if reader.position >= end:
                break
    return b"".join(found), is_whole


def _told(data: bytes, charset: str, secrets: Collection[str]) -> str:
    return redact.text(None, screened(data.decode(charset, "backslashreplace")), secrets)


def _cut_head(text: str, most: int) -> str:
    """Return the beginning, to the end of a line if there is one near the cut."""
    cut = text[:most]
    at = cut.rfind("\n", most // 2)
    return cut if at < 0 else cut[:at]


def _cut_tail(text: str, most: int) -> str:
    """Return the end, from the begin of a line if there is one near the cut."""
    cut = text[-most:]
    at = cut.find("\n", 0, most // 2)
    return cut if at < 0 or len(text) <= most else cut[at + 1 :]


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
