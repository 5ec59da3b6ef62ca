"""/etc/environment and /etc/default/locale in, the variables of every user's jobs out.

As pam_env(8) gives them to the jobs of Debian's cron: `NAME=value` lines, `export` before them or
not, quotes around a value taken away, `#` a comment. What is no such line says nothing.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")
_PAM_FILES = ("etc/environment", "etc/default/locale")  # the later one wins
_PAM_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_COMMENT_AT_END = re.compile(r"(?:\A|\s)#.*")
# cron sets these itself, whatever stands there
_OF_CRON = frozenset({"HOME", "LOGNAME", "USER", "SHELL", "PATH", "PWD"})
_QUOTE_SIGNS = ('"', "'")


def of_users(root: Path = ROOT) -> dict[str, str]:
    """Return what the files of this machine give to all; {} where there are none."""
    found: dict[str, str] = {}
    for name in _PAM_FILES:
        with suppress(OSError):
            found |= read((root / name).read_text(encoding="utf-8", errors="surrogateescape"))
    return found


def read(text: str) -> dict[str, str]:
    """Return the variables of one such file."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _PAM_LINE.fullmatch(_COMMENT_AT_END.sub("", line))
        if match is not None and match[1] not in _OF_CRON and "\0" not in line:
            found[match[1]] = _unquoted(match[2].strip())
    return found


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] in _QUOTE_SIGNS and value[-1] == value[0]
    return value[1:-1] if is_quoted else value
