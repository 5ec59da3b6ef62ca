"""The text of the service's environment file in, the same with or without `--system` out. Pure.

It is one that systemd reads (EnvironmentFile= of systemd.exec(5)); MERIDIAN_RUN has the words that
`meridian run` is started with.
"""

from __future__ import annotations

import re

SYSTEM_OPTION = "--system"
_RUN_WORDS = re.compile(r"^[ \t]*MERIDIAN_RUN=(.*)$", re.MULTILINE)


def with_system(text: str) -> str:
    """Return a text by which the daemon is a system daemon."""
    words = _words(text)
    return text if SYSTEM_OPTION in words else _given(text, [*words, SYSTEM_OPTION])


def without_system(text: str) -> str:
    """Return a text by which it is none; no other line is touched."""
    words = _words(text)
    if SYSTEM_OPTION not in words:
        return text
    return _given(text, [word for word in words if word != SYSTEM_OPTION])


def _words(text: str) -> list[str]:
    found = _RUN_WORDS.findall(text)  # the last counts
    return found[-1].strip().strip("\"'").split() if found else []


def _given(text: str, words: list[str]) -> str:
    rest = _RUN_WORDS.sub("\0", text).replace("\0\n", "").replace("\0", "")
    if rest and not rest.endswith("\n"):
        rest += "\n"
    if not words:
        return rest
    value = words[0] if len(words) == 1 else f'"{" ".join(words)}"'
    return f"{rest}MERIDIAN_RUN={value}\n"
