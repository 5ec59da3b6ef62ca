"""What a command loads: nobody waits for what another command, or only a screen, needs.

Which modules, not how long: that is the same on every machine. `make bench` has the times.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from standin import StandIn

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Person

pytestmark = pytest.mark.slow  # a process for each command

LOADED = """
import sys
from scheduler.__main__ import main
sys.argv = ["meridian", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print(*sorted(sys.modules))
"""

LOOKS = """
import gc, sys
looks = []
def note(phase, info):
    if "scheduler.cli" in sys.modules and not gc.get_freeze_count():
        looks.append(phase)
gc.callbacks.append(note)
"""

LOOP = {"asyncio", "concurrent.futures", "logging"}  # the daemon's
TIMES = {"croniter", "dateutil"}  # what finds, and reads, times
SENDERS = {"ssl", "smtplib", "http.client", "email", "apprise", "holidays", "icalendar"}
SCREEN = {"rich.console", "rich.text", "rich.live", "rich.progress"}
CRONTABS = {"scheduler.crontab.parser", "scheduler.entry", "hashlib"}
PACKAGES = {"importlib.metadata", "importlib.resources", "email", "pydantic"}
STATE = {"sqlite3", "socket", "zoneinfo", "scheduler.wire"}
HELP = {"scheduler.cli.help_page", "scheduler.cli.wrong_usage", "scheduler.cli.option_parser"}
RUNS = {"scheduler.journal.decoding", "scheduler.schedule.tick", "scheduler.run"}
SYSTEM = {  # what a daemon for all users of the machine has
    "scheduler.daemon.system_parts",
    "scheduler.daemon.machine_tables",
    "scheduler.daemon.stamp_writer",
    "scheduler.daemon.user_tables",
    "scheduler.process.user_jobs",
    "scheduler.process.user_spawning",
    "scheduler.system.cron_access",
    "scheduler.system.cron_lock",
    "scheduler.system.crontab_spool",
    "scheduler.system.user_limits",
    "scheduler.system.user_variables",
    "secrets",
}
OTHERS = {"scheduler.system.job_journal", "base64"}  # what systemd's journal or a sender needs
BUT_STATE = (
    LOOP | TIMES | SCREEN | CRONTABS | PACKAGES | HELP | RUNS | {"ctypes", "scheduler.protocol"}
)


def loaded(*words: str, **variables: str) -> set[str]:
    others = {name: text for name, text in os.environ.items() if name != "FORCE_COLOR"}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=True,
        env=others | variables,
    )  # fmt: skip
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("is_running", [False, True], ids=["no daemon", "a daemon"])
@pytest.mark.parametrize(
    "words", [["status"], ["status", "--json"], ["status", "--check"]], ids=" ".join
)
def test_a_status_loads_no_loop_no_screen_and_no_crontab(
    person: Person, words: list[str], is_running: bool
) -> None:
    stand_in = StandIn()
    with stand_in.listening(person.home / "run" / "control.sock") if is_running else nullcontext():
        found = loaded(*words)
    assert found & BUT_STATE == set()
    assert bool(stand_in.asked) == is_running
    assert found >= STATE, "the judge sees what is loaded"


def test_a_status_on_a_terminal_loads_what_prints_lines_and_nothing_that_moves(
    tmp_path: Path,
) -> None:
    found = loaded("status", "--state", str(tmp_path), FORCE_COLOR="1")
    assert found & (SCREEN | {"asyncio", "logging"}) == {"rich.console", "rich.text"}


@pytest.mark.parametrize("words", [["--version"], ["nonsense"]], ids=" ".join)
def test_what_the_command_line_alone_answers_loads_no_more_than_it(words: list[str]) -> None:
    allowed = HELP if words == ["nonsense"] else set()
    assert loaded(*words) & (BUT_STATE | STATE) == allowed


def test_one_who_lists_crontabs_waits_for_no_loop_and_no_screen(person: Person) -> None:
    person.has(person.line("0 9 * * *", "true"))
    found = loaded("list")
    assert found & (LOOP | SCREEN | PACKAGES - {"importlib.resources"}) == set()
    assert "scheduler.crontab.parser" in found


def test_the_daemon_loads_no_screen_no_tls_and_nothing_that_alerts_are_sent_by() -> None:
    """All that a run needs is there at the start: the venv may be gone by the night."""
    found = loaded("run", "--help")
    assert found & (SCREEN | PACKAGES | SENDERS | {"_hashlib", "decimal"}) == set()
    assert found >= LOOP | TIMES | {
        "sqlite3",
        "scheduler.crontab.parser",
        "scheduler.runs.launcher",
    }


def test_a_daemon_that_runs_for_its_user_has_nothing_of_a_system_daemon(tmp_path: Path) -> None:
    (crontab := tmp_path / "crontab").write_text("0 0 1 1 * true\n")
    words = ["run", str(crontab), "--state", str(tmp_path / "state"), "--log-format", "human"]
    with subprocess.Popen(
        [sys.executable, "-c", LOADED, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as daemon:  # fmt: skip
        log, printed = daemon.stderr, daemon.stdout
        assert log is not None
        assert printed is not None
        assert any("1 entry" in line for line in log), "it runs now"
        daemon.terminate()
        found = set(printed.read().split())
    assert found & (SYSTEM | OTHERS | SCREEN | SENDERS) == set()
    assert "scheduler.runs.launcher" in found


def test_a_system_daemon_has_all_that_it_needs_when_it_starts() -> None:
    """The venv may be gone by the night, here as well; and it speaks no TLS either."""
    code = (
        LOADED + "from scheduler.daemon import service; service.system_parts(); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, "run", "--help"], capture_output=True, text=True, check=True)  # fmt: skip
    found = set(done.stdout.splitlines()[-1].split())
    assert found >= SYSTEM
    assert found & (SENDERS | {"_hashlib"}) == set()


def test_what_was_left_out_for_the_daemon_is_there_for_who_asks_later() -> None:
    code = LOADED + "import hashlib, ssl; print(ssl.OPENSSL_VERSION, hashlib.md5().name)"
    done = subprocess.run([sys.executable, "-c", code, "run", "--help"], capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.splitlines()[-1].startswith("OpenSSL")
    assert done.stdout.splitlines()[-1].endswith("md5")


def test_no_command_looks_for_garbage_while_it_loads(tmp_path: Path) -> None:
    """What is loaded is none: that was a tenth of a short command's time."""
    code, words = LOOKS + LOADED + "print(looks)", ["status", "--state", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)  # fmt: skip
    assert "scheduler.cli.commands.status" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_command_looks_for_garbage_at_its_end() -> None:
    """That would be a fifth of its time, and the process is about to be nothing."""
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count()))" + LOADED
    command = [sys.executable, "-c", code, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) > 0
