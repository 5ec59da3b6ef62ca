"""The files of a service: systemd's units with the program that is there, launchd's property list."""

from __future__ import annotations

import plistlib
from pathlib import Path

import pytest

from scheduler.system import service_files
from scheduler.system.service_files import LABEL

PROGRAM = ("/opt/meridian/bin/meridian",)
HOME = Path("/home/alice")


@pytest.mark.parametrize(
    ("home", "config", "path"),
    [
        (None, "/etc/systemd", "/etc/systemd/system/meridian.service"),
        (HOME, "/home/alice/.config/systemd", "/home/alice/.config/systemd/user/meridian.service"),
    ],
    ids=["the machine's", "a user's"],
)
def test_a_unit_is_the_one_of_the_package_with_this_program(
    home: Path | None, config: str, path: str
) -> None:
    made = service_files.systemd_unit(PROGRAM, home, Path(config))
    lines = made.text.decode().splitlines()
    assert str(made.path) == path
    assert "ExecStart=/opt/meridian/bin/meridian run $MERIDIAN_RUN" in lines
    assert sum(line.startswith("ExecStart=") for line in lines) == 1
    assert "Type=notify" in lines
    assert made.is_ours(made.text)


def test_who_is_called_as_a_module_is_started_as_one() -> None:
    program = ("/usr/bin/python3", "-m", "scheduler")
    text = service_files.systemd_unit(program, None, Path("/etc/systemd")).text.decode()
    assert "\nExecStart=/usr/bin/python3 -m scheduler run $MERIDIAN_RUN\n" in text


@pytest.mark.parametrize(
    ("word", "written", "why"),
    [
        ("/usr/bin/meridian", "/usr/bin/meridian", "nothing to quote"),
        ("/opt/my tools/meridian", '"/opt/my tools/meridian"', "a blank ends a word"),
        ("/opt/100%/meridian", "/opt/100%%/meridian", "% begins a specifier"),
        ('/opt/a"b/meridian', '"/opt/a\\"b/meridian"', "a quote begins a string"),
        ("/opt/a\\b/meridian", '"/opt/a\\\\b/meridian"', "a backslash begins an escape"),
        ("/opt/a;b", '"/opt/a;b"', "; may begin another command"),
        ("/opt/jürgen", "/opt/jürgen", "letters are letters"),
    ],
)
def test_a_word_of_a_unit_means_itself(word: str, written: str, why: str) -> None:
    assert service_files.quoted(word) == written, why


def test_an_agent_of_a_mac_is_a_valid_property_list() -> None:
    made = service_files.property_list(PROGRAM, Path("/Users/alice"), Path("/"))
    assert made.path == Path(f"/Users/alice/Library/LaunchAgents/{LABEL}.plist")
    keys = plistlib.loads(made.text)
    assert keys["Label"] == LABEL == made.path.stem, "launchd wants the file to have its name"
    assert keys["ProgramArguments"] == ["/opt/meridian/bin/meridian", "run"]
    assert keys["KeepAlive"] == {"SuccessfulExit": False}, "a daemon that died comes back"
    assert keys["RunAtLoad"] is True
    assert keys["AbandonProcessGroup"] is True, "what jobs leave behind lives on"
    assert keys["ExitTimeOut"] == 120, "as TimeoutStopSec= of the units"
    assert keys["StandardErrorPath"] == "/Users/alice/Library/Logs/meridian.log"
    assert keys["EnvironmentVariables"]["PATH"].startswith("/Users/alice/.local/bin:")
    assert made.is_ours(made.text)


def test_a_daemon_of_a_mac_is_the_machines() -> None:
    made = service_files.property_list(PROGRAM, None, Path("/"))
    assert made.path == Path(f"/Library/LaunchDaemons/{LABEL}.plist")
    keys = plistlib.loads(made.text)
    assert keys["StandardErrorPath"] == "/Library/Logs/meridian.log"
    assert "alice" not in made.text.decode()


@pytest.mark.parametrize(
    ("text", "is_ours"),
    [
        (b"# Meridian for the whole machine, as root: of an older version\n[Unit]\n", True),
        (b"[Unit]\nDescription=my own\n", False),
        (b"", False),
    ],
)
def test_what_somebody_else_wrote_is_known(text: bytes, is_ours: bool) -> None:
    made = service_files.systemd_unit(PROGRAM, None, Path("/etc/systemd"))
    assert made.is_ours(text) is is_ours
