"""Text in, what a terminal may show of it out: control characters as escapes (ECMA-48).

Secrets are masked by `mask`, never here.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

_COLOUR_CODE = re.compile(r"\x1b\[[0-9;:]*m")  # SGR of ECMA-48
# An undecodable byte as Python writes it in quotes, where no backslash of the text is before it.
_BYTE = re.compile(r"(?<!\\)((?:\\\\)*)\\udc([89a-f][0-9a-f])")
# What may go on in the next piece of a text: a colour, a line end.
_UNFINISHED = re.compile(r"(?:\x1b(?:\[[0-9;:]{0,40})?|\r)\Z")


def clean(text: str) -> str:
    r"""Return one line that is safe to show: what is not printable is written as an escape.

    Undecodable bytes (Python's surrogates) come out as `\xff`, a change of direction as `\u202e`.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def quoted(text: str) -> str:
    r"""Return the text in quotes; what is not printable in it is an escape, as in `clean`."""
    return _BYTE.sub(r"\1\\x\2", repr(text))


def screened(text: str) -> str:
    """Return a job's output as a terminal may show it: lines, tabs and blanks, but no commands.

    Colours are dropped, everything else that steers a terminal is written as an escape.
    """
    text = _COLOUR_CODE.sub("", text).replace("\r\n", "\n")
    return "".join(char if _is_harmless(char) else _escape(char) for char in text)


class OutputScreen:
    """A job's output in pieces, as `screened` shows it whole.

    Owns the end of the last piece that may go on in the next one: half a letter, colour or line
    end. `logs` and the echo of outputs call it, piece by piece. Nothing that it returned would
    have been shown otherwise with what came behind it.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._held = ""

    def show(self, piece: bytes, *, is_last: bool = False) -> str:
        """Return what may be shown by now; what may go on waits for the next piece."""
        text = self._held + self._decoder.decode(piece, is_last)
        unfinished = None if is_last else _UNFINISHED.search(text)
        end = len(text) if unfinished is None else unfinished.start()
        self._held = text[end:]
        return screened(text[:end])


def _is_harmless(char: str) -> bool:
    return char in "\n\t" or char.isprintable() or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
