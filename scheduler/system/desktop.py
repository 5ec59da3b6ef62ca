"""Desktop notifications: a title and a text come in, the name of the way that showed them goes out.

The ways, tried in turn: osascript on macOS or the session bus elsewhere, then the terminal, and
for who has none, as a job, those on which the user is logged in.
"""

import html
import locale
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from scheduler.errors import NotifyError

try:
    from jeepney import DBusAddress, DBusErrorResponse, Message, new_method_call
    from jeepney.bus import get_bus
    from jeepney.io.blocking import DBusConnection, prep_socket
    from jeepney.wrappers import unwrap_msg
except ModuleNotFoundError:  # only Linux asks for it, and only Linux gets as far as using it
    HAVE_DBUS = False
else:
    HAVE_DBUS = True

TITLE_LIMIT = 200
TEXT_LIMIT = 2000
STDERR = 2
MOST_LOGINS = 4  # a person has one pair of eyes, but may have dozens of terminals

# The script never changes: title and text reach it as its arguments, so nothing in them is ever
# read as AppleScript. `--` ends osascript's own options, else a title such as `-e` would be one.
OSASCRIPT = (
    *("-e", "on run argv"),
    *("-e", "display notification (item 2 of argv) with title (item 1 of argv)"),
    *("-e", "end run"),
    "--",
)

# Signs that reorder the letters around them: a title could be made to read as something else.
BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def notify(
    title: str,
    text: str = "",
    *,
    timeout: float = 10.0,
    environ: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
    terminal: Path | None = None,
    devices: Path = Path("/dev"),
) -> str:
    """Show a notification; return which way took it: `osascript`, `dbus` or `terminal`.

    Each way has `timeout` seconds, then the next is tried. `terminal` is the device to write to
    instead of the process's own, `devices` where others are. Control characters are dropped, long
    words cut. Raises NotifyError for an empty title, and with every way's reason when none took it.
    """
    title, text = _cut(" ".join(_plain(title).split()), TITLE_LIMIT), _cut(_plain(text), TEXT_LIMIT)
    if not title:
        raise NotifyError("A notification needs a title that can be seen.")
    ways: dict[str, Callable[[], None]]
    if platform == "darwin":
        ways = {"osascript": lambda: _by_osascript(title, text, timeout, environ)}
    else:
        ways = {"dbus": lambda: _by_dbus(title, text, timeout, environ)}
    lines = ["", f"\a{title}", *(f"  {line}" for line in text.splitlines()), ""]
    words = "\r\n".join(lines).encode(locale.getencoding(), "replace")
    ways["terminal"] = lambda: _by_terminal(words, timeout, terminal, devices)
    refusals: list[str] = []
    for name, show in ways.items():
        refusal = _refusal(show)
        if refusal is None:
            return name
        refusals.append(refusal)
    raise NotifyError(
        f"Nothing showed the notification: {'; '.join(refusals)}. "
        "Run it inside a desktop session or from a terminal."
    )


def _refusal(show: Callable[[], None]) -> str | None:
    try:
        show()
    except NotifyError as refused:
        return str(refused)
    return None


# --- words that are safe to show ---------------------------------------------------------------


def _plain(text: str) -> str:
    return "".join(map(_visible, text)).strip()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _visible(letter: str) -> str:
    if letter in "\n\t":
        return letter
    if letter in BIDI_OVERRIDES:
        return ""
    match unicodedata.category(letter):
        case "Cc":  # NUL ends an argument; ESC and the C1 letters command a terminal
            return ""
        case "Cs":  # half a character, as undecodable bytes become; no encoding takes it
            return "\ufffd"
        case "Zl" | "Zp":
            return "\n"
        case _:
            return letter


# --- macOS -------------------------------------------------------------------------------------


def _by_osascript(title: str, text: str, timeout: float, environ: Mapping[str, str]) -> None:
    program = shutil.which("osascript", path=environ.get("PATH", os.defpath))
    if program is None:
        raise NotifyError("osascript is not on PATH")
    # A file, not a pipe: a pipe stays open, and is waited for, as long as any descendant lives.
    with tempfile.TemporaryFile() as complaints:
        code = _run((program, *OSASCRIPT, title, text), timeout, environ, complaints.fileno())
        if code:
            complaints.seek(0)
            said = _plain(complaints.read(TITLE_LIMIT).decode(errors="replace"))
            raise NotifyError(f"osascript ended with {code}" + (f" ({said})" if said else ""))


def _run(argv: tuple[str, ...], timeout: float, environ: Mapping[str, str], stderr: int) -> int:
    try:
        process = subprocess.Popen(
            argv,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            process_group=0,  # so that a hanging one can be ended with all it started
        )
    except OSError as error:
        raise NotifyError(f"osascript could not be started ({error.strerror})") from error
    with process:
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired as late:
            raise NotifyError(f"osascript did not end within {timeout:g} s") from late
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


# --- the session bus ---------------------------------------------------------------------------


def _by_dbus(title: str, text: str, timeout: float, environ: Mapping[str, str]) -> None:
    if not HAVE_DBUS:
        raise NotifyError("the jeepney library, which speaks D-Bus, is not installed")
    try:
        address = _bus_address(environ)
        with closing(prep_socket(address, timeout=timeout / 4)) as bus, _limit(bus, timeout * 0.75):
            _deliver(bus, title, text)
    except TimeoutError as late:
        raise NotifyError(f"D-Bus gave no answer within {timeout:g} s") from late
    except DBusErrorResponse as error:
        raise NotifyError(f"D-Bus answered {error.name}") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise NotifyError(f"D-Bus can't be used ({error})") from error


def _bus_address(environ: Mapping[str, str]) -> str:
    address = environ.get("DBUS_SESSION_BUS_ADDRESS")
    if address:
        return str(get_bus(address))
    runtime = environ.get("XDG_RUNTIME_DIR")  # where systemd puts the user's bus
    if runtime and Path(runtime, "bus").exists():
        return str(Path(runtime, "bus"))
    raise NotifyError("there is no D-Bus session bus (DBUS_SESSION_BUS_ADDRESS is not set)")


@contextmanager
def _limit(sock: socket.socket, seconds: float) -> Iterator[None]:
    """Hang up after `seconds`, raising TimeoutError; the library's own Hello waits for ever."""
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with suppress(OSError):  # the bus hung up first
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.start()
    try:
        yield
    except OSError as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        timer.join()


def _deliver(sock: socket.socket, title: str, text: str) -> None:
    with DBusConnection(sock) as bus:
        (able,) = _ask(bus, "GetCapabilities")
        if "body" not in able:
            title, text = f"{title}: {text}" if text else title, ""
        elif "body-markup" in able:
            text = html.escape(text, quote=False)
        # app name, replaces, icon, title, text, actions, hints, time shown (-1: the server's own)
        _ask(bus, "Notify", "susssasa{sv}i", ("Meridian", 0, "", title, text, [], {}, -1))


def _ask(
    bus: "DBusConnection", method: str, signature: str | None = None, body: tuple[object, ...] = ()
) -> tuple[Any, ...]:
    server = DBusAddress(
        "/org/freedesktop/Notifications",
        bus_name="org.freedesktop.Notifications",
        interface="org.freedesktop.Notifications",
    )
    call: Message = new_method_call(server, method, signature, body)
    reply: tuple[Any, ...] = unwrap_msg(bus.send_and_get_reply(call))
    return reply


# --- the terminal ------------------------------------------------------------------------------


def _by_terminal(words: bytes, timeout: float, terminal: Path | None, devices: Path) -> None:
    try:
        device = _open(terminal) if terminal else _open_own()
    except OSError as error:
        if terminal is None and _tell_logins(words, timeout, devices):
            return
        raise NotifyError("there is no terminal to write to") from error
    _write(device, words, timeout)


def _open_own() -> int:
    try:
        return _open(Path("/dev/tty"))
    except OSError:
        return _open(Path(os.ttyname(STDERR)))


def _open(terminal: Path) -> int:
    # Opened anew even when it is stderr: whoever shares that must not get one that never waits.
    return os.open(terminal, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)


def _tell_logins(words: bytes, timeout: float, devices: Path) -> bool:
    """Write to the terminals that the user has used last; say whether any of them took it."""
    told = False
    for path in _logins(devices, os.geteuid())[:MOST_LOGINS]:
        with suppress(OSError, NotifyError):
            _write(_open(path), words, timeout / MOST_LOGINS)
            told = True
    return told


def _logins(devices: Path, uid: int) -> list[Path]:
    """Return the terminals that belong to the user, the one used last first; utmp is not asked."""
    used: dict[Path, float] = {}
    # Consoles that nobody is logged in on are root's own, so root's are not told apart.
    for path in (*devices.glob("pts/[0-9]*"), *(devices.glob("tty[0-9s]*") if uid else ())):
        with suppress(OSError):
            status = path.stat()
            if status.st_uid == uid and stat.S_ISCHR(status.st_mode):
                used[path] = status.st_atime
    return sorted(used, key=lambda path: -used[path])


def _write(device: int, words: bytes, timeout: float) -> None:
    """Write all of it to the open terminal, and close that."""
    try:
        while words:
            _, writable, _ = select.select([], [device], [], timeout)
            if not writable:  # stopped by Ctrl-S, or nobody reads the other end
                raise NotifyError(f"the terminal took nothing for {timeout:g} s")
            words = words[os.write(device, words) :]
    except OSError as error:
        raise NotifyError(f"the terminal takes nothing ({error.strerror})") from error
    finally:
        os.close(device)
