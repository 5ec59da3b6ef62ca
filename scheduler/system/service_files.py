"""What starts Meridian with the machine or with a user: a program in, the file of its service out.

systemd's units stand in systemd/ of a checkout and beside this package in a wheel; a property list
of launchd is made here, from launchd.plist(5). It was never seen on a Mac.
"""

from __future__ import annotations

import plistlib
import re
from dataclasses import dataclass
from pathlib import Path

SERVICE_NAME = "meridian"
LABEL = "org.meridian-cron.meridian"  # of launchd: by a name in reverse, as all of them
_PACKAGE_FOLDER = Path(__file__).parent.parent
_UNIT_FOLDERS = (_PACKAGE_FOLDER / "units", _PACKAGE_FOLDER.parent / "systemd")
_STARTS = re.compile(r"^ExecStart=\S+(?= run )", re.MULTILINE)
_STOP_SECONDS = 120  # as TimeoutStopSec= of the units
_MAC_PATH = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """A file that makes a service, and where it belongs."""

    path: Path
    text: bytes

    def is_ours(self, found: bytes) -> bool:
        """Say whether what stands there was made by some version of Meridian."""
        first = found.partition(b"\n")[0]
        return first.startswith(b"# Meridian for ") or LABEL.encode() in found

    def is_there(self) -> bool:
        """Say whether it stands there as it should."""
        return self.path.is_file() and self.path.read_bytes() == self.text


def systemd_unit(program: tuple[str, ...], home: Path | None, config: Path) -> ServiceFile:
    """Return the unit that runs this program: the machine's, or with a `home` its user's.

    `config` is the folder of systemd's own configuration: /etc/systemd, or the user's.
    """
    whose, kind = ("system", "") if home is None else ("user", "-user")
    text = _template(f"meridian{kind}.service")
    starts = f"ExecStart={' '.join(map(quoted, program))}"
    text = _STARTS.sub(lambda _: starts, text)
    return ServiceFile(config / whose / f"{SERVICE_NAME}.service", text.encode())


def _template(name: str) -> str:
    return next(f / name for f in _UNIT_FOLDERS if (f / name).is_file()).read_text("utf-8")


def quoted(word: str) -> str:
    """Return a word of ExecStart= that means itself: systemd.service(5), COMMAND LINES."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{plain}"' if re.search(r"[\s'\"\\;]", word) else plain


def property_list(program: tuple[str, ...], home: Path | None, root: Path) -> ServiceFile:
    """Return launchd's file: a daemon of the machine below `root`, or with a `home` an agent.

    Restarted unless it ended as it should; what jobs leave behind lives on; it is not slowed down
    as what works in the background is. A log has no journal there, so it has a file.
    """
    logs, folder = root / "Library/Logs", root / "Library/LaunchDaemons"
    path = _MAC_PATH
    if home is not None:
        logs, folder = home / "Library/Logs", home / "Library/LaunchAgents"
        path = f"{home}/.local/bin:{path}"
    log = str(logs / f"{SERVICE_NAME}.log")
    keys = {
        "Label": LABEL,
        "ProgramArguments": [*program, "run"],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,  # seconds between two starts, at least
        "ExitTimeOut": _STOP_SECONDS,
        "AbandonProcessGroup": True,
        "ProcessType": "Interactive",
        "LegacyTimers": True,  # on the minute, not with others that are due at about that time
        "EnvironmentVariables": {"PATH": path},
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    return ServiceFile(folder / f"{LABEL}.plist", plistlib.dumps(keys))
