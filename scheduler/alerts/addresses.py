"""A target in, the addresses that it stands for out: those in the file that `@name` names.

The file is `alerts/NAME` in the config folder. Each of its lines is an address: anything that
CRON_ALERT takes but another `@name`. A line that begins with `#`, or is empty, is none. What is in
it is a secret: no error shows a word of it.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from scheduler.alerts.channel import NotSent
from scheduler.errors import SourceRefused
from scheduler.system import private_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESS_FOLDER = "alerts"
MOST_ADDRESSES = 20

_NAMED_FILE = re.compile(r"@[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # no way out of the folder
_ADDRESS_FORM = re.compile(
    r"desktop|mail|mail:[A-Za-z0-9]\S*|[A-Za-z][A-Za-z0-9+.-]*://\S+|\|.*\S.*"
)
_ADDRESS_FORMS = "desktop, mail, mail:ADDRESS, scheme://… or | COMMAND"


def addresses_of(target: str, config: Path) -> list[str]:
    """Return the addresses of a target, each once; raises NotSent, for good, where there are none.

    So it is for a file that is not there, that is not the user's own (or root's), or that others
    can read, and for a line that is no address.
    """
    if not target.startswith("@"):
        return [target]
    if not _NAMED_FILE.fullmatch(target):
        raise NotSent(f"{target} is no name of a file of addresses", permanent=True)
    file = config / ADDRESS_FOLDER / target[1:]
    found = list(dict.fromkeys(_addresses(file, _text(file))))
    if not found:
        raise _refused(file, f"there is no address in it; write one a line: {_ADDRESS_FORMS}")
    if len(found) > MOST_ADDRESSES:
        raise _refused(file, f"it has more than {MOST_ADDRESSES} addresses")
    return found


def _addresses(file: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        address = line.strip()
        if not address or address.startswith("#"):
            continue
        if not _ADDRESS_FORM.fullmatch(address) or not address.isprintable():
            raise _refused(file, f"line {number} is no address; one is {_ADDRESS_FORMS}")
        yield f"|{address[1:].strip()}" if address.startswith("|") else address


def _text(file: Path) -> str:
    try:
        return private_file.read(file, os.geteuid())
    except SourceRefused as refused:
        raise NotSent(str(refused), permanent=True) from None
    except FileNotFoundError:
        raise _refused(
            file, f"there is no such file; write an address a line: {_ADDRESS_FORMS}"
        ) from None


def _refused(file: Path, why: str) -> NotSent:
    return NotSent(f"{file}: {why}", permanent=True)
