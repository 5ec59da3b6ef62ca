"""What can go wrong: errors that carry their facts; `str()` of each is a sentence for a person."""


class MeridianError(Exception):
    """The one root: whatever Meridian refuses to do, it refuses with a subclass of this."""


class BadValue(MeridianError):
    """A piece of crontab text is not what its place asks for.

    `offset` is where in that piece the offending text starts (0-based), `code` a stable word for
    machines, `hint` what to write instead ("" where there is nothing to suggest).
    """

    def __init__(self, code: str, message: str, *, offset: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset
        self.hint = hint


class SourceRefused(MeridianError):
    """A crontab file can't be trusted, read or saved.

    `code` is a stable word for machines, `hint` what to do about it.
    """

    def __init__(self, file: str, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{file}: {message}" + (f"; {hint}" if hint else ""))
        self.file = file
        self.code = code
        self.message = message
        self.hint = hint


class NotRoots(SourceRefused):
    """A crontab that root named could be changed by somebody else, and nobody said that they may.

    `warning` is what is said of it where somebody did.
    """

    def __init__(self, file: str, message: str, hint: str) -> None:
        way = "give --trust-owner: then they run what they like as root"
        super().__init__(file, "not-trusted", message, f"{hint}, or {way}" if hint else way)
        self.warning = f"{message}; meridian run takes it with --trust-owner alone"


class JournalError(MeridianError):
    """The journal can't be opened, or was written by a newer Meridian."""


class JournalDamaged(JournalError):
    """What is in the journal can't be read, or nobody wrote it: the file has been damaged."""


class JournalBehind(JournalDamaged):
    """The journal is whole, but an older one than was written: the rest of it was lost."""


class NotifyError(MeridianError):
    """No notifier took the message."""


class NotifyTimeout(NotifyError):
    """A notifier did not say in time whether it took the message."""


class NoSocket(MeridianError):
    """The daemon can't have its control socket, and runs without one."""


class NoDaemon(MeridianError):
    """Nobody answers at the control socket."""


class NoAnswer(MeridianError):
    """Somebody is at the control socket, but gives no answer that makes sense, or not in time."""
