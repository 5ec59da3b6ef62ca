"""An open file in, whether anybody can still write to it out: whoever that is, seen or hidden."""

from __future__ import annotations

import errno
import fcntl
import signal


def is_held(descriptor: int) -> bool | None:
    """Say whether some process has this file open to write; None where the system can't tell.

    The descriptor is one to read alone. Linux gives a read lease only on a file that nobody has
    open to write, whoever that is: fcntl(2). Should one be opened in the moment that the lease is
    held, the signal that tells of it has to be harmless.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except AttributeError:  # another system than Linux
        return None
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    return False
