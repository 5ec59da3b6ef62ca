"""The command `meridian`, which `python -m scheduler` is too; its word where memory is short.

Then libraries may fail to be mapped, a folder to be listed (ENOMEM), and C code fail without an
error: hence ImportError, OSError and SystemError, which are raised on where that is not the cause.
"""

from __future__ import annotations

import atexit
import gc

from scheduler.system.own_limits import end_without_memory

try:
    gc.disable()  # until a command runs: what is loaded is no garbage, and each look takes its time
    from scheduler.cli import main as command_line
except (MemoryError, ImportError, SystemError, OSError) as error:
    end_without_memory(error)


def main() -> None:
    """Run the command line; where it gets no memory, say so in one line, exit status 1."""
    atexit.register(gc.freeze)  # no look for garbage at the end: a fifth of a short command
    try:
        command_line()
    except (MemoryError, ImportError, SystemError, OSError) as error:
        end_without_memory(error)


if __name__ == "__main__":
    main()
