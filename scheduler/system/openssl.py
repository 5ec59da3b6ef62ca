"""Libraries that are loaded without OpenSSL, where nobody speaks TLS: nothing in, nothing out."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOUND_TO_IT = ("_ssl", "_hashlib")  # the modules of Python's that need it


@contextmanager
def left_out() -> Iterator[None]:
    """Let what is loaded meanwhile find a Python that was built without OpenSSL.

    asyncio and hashlib both ask for it, and both do without: it is a tenth of an idle daemon's
    memory. Whoever asks afterwards gets it; who has it already keeps it.
    """
    absent = [name for name in _BOUND_TO_IT if name not in sys.modules]
    none = dict.fromkeys(absent)  # by which `import` knows that there is no such module
    sys.modules.update(none)  # type: ignore[arg-type]  # its reference says so, its type does not
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
