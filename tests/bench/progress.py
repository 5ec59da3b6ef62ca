"""Where the bench stands: a line a step for a file, one line that counts down for a terminal."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from typing import TextIO


class Progress:
    """It waits for real minutes, and says so."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_live = stream.isatty()

    def say(self, text: str) -> None:
        """Tell the next step."""
        clear = "\r\x1b[K" if self._is_live else ""
        self._stream.write(f"{clear}{text}\n")
        self._stream.flush()

    def wait(self, until: datetime, what: str) -> None:
        """Return at this instant, counting down where a person looks on.

        It counts at half seconds: at a minute the machine belongs to what is measured.
        """
        end = until.timestamp()
        while (now := time.time()) < end:
            if self._is_live:
                self._stream.write(f"\r\x1b[K{what}: {end - now:.0f} s")
                self._stream.flush()
                time.sleep(min(end - now, math.floor(now + 0.5) + 0.5 - now))
            else:
                time.sleep(end - now)
        if self._is_live:
            self._stream.write("\r\x1b[K")
