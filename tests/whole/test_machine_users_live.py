"""A machine's daemon and its users, for real: each hears of their own, by commands and by hand."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from log_lines import heard
from users import CAN_READ, as_user, new_folder, until

from scheduler.system import control_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.privileged]

ROOT = Path(__file__).parent.parent.parent
GAMES, NOBODY = (pwd.getpwnam(name).pw_uid for name in ("games", "nobody"))
CRONTAB = """\
CRON_NAME=games.count CRON_RETRIES=0 0 0 1 1 * games echo counted by $(id -un)
CRON_NAME=games.fails CRON_RETRIES=0 0 0 1 1 * games echo broken; exit 3
CRON_NAME=games.long 0 0 1 1 * games echo begun; sleep 2; echo ended
CRON_NAME=nobodys 0 0 1 1 * nobody echo nobodys-secret; sleep 300
CRON_NAME=roots 0 0 1 1 * root echo roots-secret
"""
# A machine without cron's tables, whatever this one has: the daemon's mounts are its own.
ALONE = "mount -t tmpfs tmpfs /etc/cron.d; mkdir -p /var/spool/cron; "
ALONE += "mount -t tmpfs tmpfs /var/spool/cron; mount -t tmpfs tmpfs /run; mkdir /run/meridian; "
ALONE += 'mount --bind "$RUNTIME_DIRECTORY" /run/meridian; exec "$@"'


ASKING = """\
import socket, sys
with socket.socket(socket.AF_UNIX) as asking:
    asking.connect(sys.argv[1])
    try:
        asking.sendall(sys.argv[2].encode())
    except BrokenPipeError:  # it was turned away before
        pass
    print(asking.makefile().readline())
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine's daemon that runs, and who types commands there."""

    folder: Path
    process: subprocess.Popen[bytes]

    def environ(self, home: Path) -> dict[str, str]:
        names = {name: str(self.folder / name) for name in ("run",)}
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "TZ": "UTC",
            "COLUMNS": "200",
            "RUNTIME_DIRECTORY": names["run"],
            "PYTHONPATH": str(ROOT),
            "PYTHONSAFEPATH": "1",
        }

    def types(self, uid: int, *words: str) -> subprocess.CompletedProcess[str]:
        """What a command says to a user."""
        there = ("nsenter", "--target", str(self.process.pid), "--mount", "--wd=/")
        return subprocess.run(
            (*there, *as_user(uid, *CAN_READ, sys.executable, "-m", "scheduler", *words)),
            env=self.environ(self.folder / f"home-{uid}"),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def says(self, uid: int, *words: str) -> str:
        done = self.types(uid, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, uid: int, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.says(uid, *words, "--json").splitlines()]

    def asks(self, uid: int, **members: object) -> dict[str, Any]:
        """What the socket says to a program of a user that is no client of Meridian's."""
        line = json.dumps({"meridian": 1, **members}) + "\n"
        where = str(self.folder / "run/control.sock")
        words = ("/usr/bin/python3", "-S", "-c", ASKING, where, line)
        done = subprocess.run(as_user(uid, *words), capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def by_root(self, *words: str) -> str:
        """What a command says to root."""
        done = subprocess.run(
            (sys.executable, "-m", "scheduler", *words),
            env=self.environ(self.folder) | self.root_folders(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def root_folders(self) -> dict[str, str]:
        return {
            "CONFIGURATION_DIRECTORY": str(self.folder / "config"),
            "STATE_DIRECTORY": str(self.folder / "state"),
        }

    def ends(self, run: int) -> None:
        def is_over() -> bool:
            rows = json.loads(self.by_root("history", str(run), "--json"))
            return rows["state"] in ("succeeded", "failed")

        until(is_over)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with new_folder(0) as folder:
        for name in ("config/crontabs", f"home-{GAMES}", f"home-{NOBODY}"):
            (folder / name).mkdir(parents=True)
        (folder / "run").mkdir(mode=0o700)
        (folder / "config/crontabs/crontab").write_text(CRONTAB)
        with daemon(folder) as process:
            yield Machine(folder, process)


@contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = (sys.executable, "-m", "scheduler", "run", "--system", "--log-format", "json")
    started = Machine(folder, None)  # type: ignore[arg-type]  # only for its variables
    process = subprocess.Popen(
        ("unshare", "--mount", "sh", "-c", ALONE, "sh", *words, "--grace", "0"),
        env=started.environ(folder) | started.root_folders(),
        cwd="/",
        stderr=subprocess.PIPE,
    )
    try:
        heard(process, "crontabs")
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def triggered(machine: Machine, job: str) -> int:
    """A run of a job, which root has started."""
    return int(json.loads(machine.by_root("trigger", job, "--json"))["run"])


def test_a_user_sees_to_their_own_jobs_of_the_machines_daemon(machine: Machine) -> None:
    assert "Run" in machine.says(GAMES, "trigger", "games.count")
    until(lambda: machine.rows(GAMES, "history")[-1]["state"] == "succeeded")
    (row, *_) = machine.rows(GAMES, "history", "games.count")
    assert (row["job"], row["user"]) == ("games.count", "games")
    assert machine.says(GAMES, "logs", "games.count") == "counted by games\n"
    assert machine.says(GAMES, "logs", str(row["run"])) == "counted by games\n"
    assert "counted" not in machine.says(GAMES, "history", str(row["run"]))
    assert "Paused" in machine.says(GAMES, "pause", "games.count")
    assert [each["job"] for each in machine.rows(GAMES, "status")[0]["paused"]] == ["games.count"]
    assert "Resumed" in machine.says(GAMES, "resume", "games.count")


def test_a_status_is_of_own_jobs_and_says_what_fails(machine: Machine) -> None:
    triggered(machine, "nobodys")
    machine.ends(triggered(machine, "games.fails"))
    (told,) = machine.rows(GAMES, "status")
    assert told["entries"] == 3
    assert [each["job"] for each in told["failing"]] == ["games.fails"]
    assert "nobodys" not in str(told)
    shown = machine.says(GAMES, "status")
    assert "games.fails" in shown
    assert "nobodys" not in shown
    checked = machine.types(GAMES, "status", "--check")
    assert (checked.returncode, "games.fails" in checked.stdout) == (2, True)
    (running,) = machine.rows(NOBODY, "status")[0]["running"]
    assert (running["job"], running["user"]) == ("nobodys", "nobody")
    assert {each["user"] for each in told["next"]} <= {"games"}


def test_a_saved_table_is_the_crontab_that_its_users_commands_read(machine: Machine) -> None:
    text = "CRON_NAME=mine 30 2 * * * echo mine\n"
    assert machine.asks(GAMES, do="save-table", text=text)["user"] == "games"
    try:
        for words in (("list",), ("next", "-n", "1"), ("check",), ("env", "games.mine")):
            done = machine.types(GAMES, *words)
            assert done.returncode == 0, done.stderr
            assert "/var/spool/cron/crontabs/games" in done.stderr
        (row,) = machine.rows(GAMES, "list")
        assert (row["job"], row["user"]) == ("games.mine", "games")
        assert "no crontab here yet" in machine.types(NOBODY, "list").stderr
        assert "mine" not in machine.types(NOBODY, "list").stderr
        own = machine.types(GAMES, "exec", "games.mine")
        assert (own.returncode, own.stdout) == (0, "mine\n"), own.stderr
    finally:
        machine.asks(GAMES, do="remove-table")


def test_an_output_is_watched_while_it_grows(machine: Machine) -> None:
    run = triggered(machine, "games.long")
    told = machine.types(GAMES, "logs", str(run), "--follow")
    assert (told.returncode, told.stdout) == (0, "begun\nended\n")


def test_what_is_another_users_is_not_there(machine: Machine) -> None:
    run = triggered(machine, "roots")
    machine.ends(run)
    for words in (
        ("logs", str(run)),
        ("logs", "roots"),
        ("history", str(run)),
        ("kill", str(run)),
        ("retry", str(run)),
        ("trigger", "roots"),
        ("pause", "roots"),
        ("resume", "roots"),
    ):
        refused = machine.types(GAMES, *words)
        assert refused.returncode == 1, words
        assert "secret" not in refused.stdout + refused.stderr
    assert "roots" not in machine.says(GAMES, "history")
    assert "roots-secret" in machine.by_root("logs", str(run))


@pytest.mark.parametrize(
    ("members", "code", "why"),
    [
        ({"do": "inherited"}, "root-only", "root's environment has root's secrets"),
        ({"do": "reload"}, "root-only", "it holds everybody up"),
        ({"do": "trigger", "job": "roots"}, "no-such-job", "a job of root's"),
        ({"do": "output", "run": 1, "attempt": 1, "user": "root"}, "unknown-member", "nobody names a user"),
        ({"do": "history", "user": "root"}, "unknown-member", "nor here"),
    ],
)  # fmt: skip
def test_a_program_of_a_users_own_gets_no_further(
    machine: Machine, members: dict[str, object], code: str, why: str
) -> None:
    assert machine.asks(GAMES, **members)["error"]["code"] == code, why


def test_outputs_and_the_journal_are_roots_files(machine: Machine) -> None:
    run = triggered(machine, "games.count")
    machine.ends(run)
    state = machine.folder / "state"
    for file in (state / f"outputs/games.count/{run}.1.log", state / "journal.db"):
        assert file.exists()
        tried = subprocess.run(as_user(GAMES, "/bin/cat", str(file)), capture_output=True, check=False)  # fmt: skip
        assert b"Permission denied" in tried.stderr, file


def test_no_user_keeps_root_out(machine: Machine) -> None:
    with ExitStack() as connected:
        for _ in range(control_server.MOST_AT_ONCE):
            client = connected.enter_context(socket.socket(socket.AF_UNIX))
            os.seteuid(GAMES)
            try:
                client.connect(str(machine.folder / "run/control.sock"))
            finally:
                os.seteuid(0)
        assert json.loads(machine.by_root("status", "--json"))["ok"] is True
        assert machine.asks(NOBODY, do="status")["ok"] is True
        assert machine.asks(GAMES, do="status")["error"]["code"] == "busy"


def test_with_system_it_is_the_machines_daemon_though_there_is_one_of_ones_own(
    machine: Machine,
) -> None:
    own = machine.folder / f"home-{GAMES}/.local/state/meridian"
    own.mkdir(parents=True)
    os.chown(own, GAMES, GAMES)
    (own / "journal.db").touch()
    try:
        assert "is empty" in machine.types(GAMES, "history").stderr, "it is their own journal"
        assert machine.rows(GAMES, "history", "--system") is not None
        assert machine.rows(GAMES, "status", "--system")[0]["entries"] == 3
    finally:
        (own / "journal.db").unlink()
