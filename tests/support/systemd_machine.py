"""A Debian with systemd as PID 1 in a container, and Meridian installed from its wheel.

    @pytest.fixture(scope="module")
    def machine() -> Iterator[SystemdMachine]:
        with booted() as machine:
            yield machine

    machine.write("/etc/meridian/crontabs/crontab", "* * * * * root true\\n")
    machine.run("systemctl", "start", "meridian")
    machine.wait_for(lambda: "true" in machine.run("meridian", "history").stdout)

One boot takes seconds, so all tests of a file share one. What is written there is in memory, and
gone at the end. It has no network. A test file that does this
is `privileged` and `e2e`, with a `timeout` of 900 s: the first run makes the Debian.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import debian_root
import sources
from debian_root import CHECKOUT, ENVIRONMENT, FROM_WHEELS, PREFIX, VENV
from programs import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BOOT_S = 90
REMOVED_S = 10
_numbers = itertools.count(1)


@dataclass(frozen=True)
class SystemdMachine:
    """A machine that runs. `init` is its first process, as this machine's numbers have it."""

    init: int

    def run(
        self,
        *words: str,
        user: str = "root",
        stdin: str | bytes = b"",
        check: bool = True,
        timeout: float = 120,
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there as this user, as a login of that user would have it."""
        done = subprocess.run(
            [*self._inside(), *self._as_user(user, env), *words],
            input=stdin if isinstance(stdin, bytes) else stdin.encode(),
            env=ENVIRONMENT,
            capture_output=True,
            check=False,
            timeout=timeout,
        )
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check:
            assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(words, done.returncode, out, err)

    def sh(self, script: str, *, user: str = "root", check: bool = True) -> str:
        """What a shell script writes there."""
        return self.run("/bin/sh", "-ec", script, user=user, check=check).stdout

    def start(self, *words: str, user: str = "root") -> subprocess.Popen[bytes]:
        """Start a command there that a test talks to or ends."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [*self._inside(), *self._as_user(user, {}), *words]
        return subprocess.Popen(command, env=ENVIRONMENT, **pipes)  # type: ignore[call-overload,no-any-return]  # any of Popen's options

    def write(
        self, path: str, text: str | bytes, *, mode: str = "644", owner: str = "root"
    ) -> None:
        """Put a file there, and the folders above it; its group is its owner's."""
        group = self.run("id", "-gn", owner).stdout.strip()
        how = ("-D", f"--mode={mode}", f"--owner={owner}", f"--group={group}")
        self.run("install", *how, "/dev/stdin", path, stdin=text)

    def copy(self, source: Path, path: str, *, mode: str = "644", owner: str = "root") -> None:
        """Put a file of this machine there."""
        self.write(path, source.read_bytes(), mode=mode, owner=owner)

    def copy_tree(self, source: Path, path: str) -> None:
        """Put a folder of this machine there, as root's."""
        packed = subprocess.run(
            ["tar", "-C", str(source), "--owner=0", "--group=0", "-cf", "-", "."],
            capture_output=True,
            check=True,
        )
        self.run("mkdir", "-p", path)
        self.run("tar", "-C", path, "-xf", "-", stdin=packed.stdout)

    def read(self, path: str) -> str:
        return self.run("cat", path).stdout

    def add_user(self, name: str, *groups: str) -> None:
        """Make an ordinary user with a home, and the groups that are not there."""
        for group in groups:
            self.run("groupadd", "--force", group)
        more = ("--groups", ",".join(groups)) if groups else ()
        self.run("useradd", "--create-home", "--shell", "/bin/bash", *more, name)

    def systemctl(self, *words: str, check: bool = True) -> str:
        return self.run("systemctl", *words, check=check).stdout.strip()

    def property(self, name: str, unit: str = "meridian") -> str:
        """What systemd says of a unit, as `ActiveState` or `StatusText`."""
        return self.systemctl("show", "--property", name, "--value", unit)

    def journal(self, unit: str = "meridian") -> str:
        """What a unit has logged."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout

    def wait_for(self, what: Callable[[], object], seconds: float = 60, *, why: str = "") -> None:
        """Wait until something is true there; after that time the log of Meridian is shown."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"it never was: {why}\n{self._last_words()}"
            time.sleep(0.1)

    def _last_words(self) -> str:
        done = self.run("journalctl", "--no-pager", "-n", "60", check=False)
        return done.stdout + done.stderr

    def _inside(self) -> tuple[str, ...]:
        # -C: what it sees of cgroups is what the machine sees; its own processes are not among them.
        return (program("nsenter"), "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-C", "--")

    def _as_user(self, user: str, variables: Mapping[str, str]) -> tuple[str, ...]:
        words = tuple(f"{name}={value}" for name, value in variables.items())
        if user == "root":
            return ("env", "-C", "/root", *words)
        path = ENVIRONMENT["PATH"]
        own = (
            f"HOME=/home/{user}",
            f"USER={user}",
            f"LOGNAME={user}",
            f"PATH={path}",
            "LANG=C.UTF-8",
        )
        begin = 'cd && export XDG_RUNTIME_DIR="/run/user/$(id -u)"; exec "$@"'
        return (
            "runuser",
            "-u",
            user,
            "--",
            "env",
            "-i",
            *own,
            *words,
            "/bin/sh",
            "-c",
            begin,
            "sh",
        )


@contextmanager
def booted(*, with_meridian: bool = True) -> Iterator[SystemdMachine]:
    """A machine that has come up, gone at the end; with Meridian as `make install` leaves it."""
    root = debian_root.with_dependencies()
    with tempfile.TemporaryDirectory(prefix="meridian-machine-") as folder:
        console = Path(folder) / "console"
        with _cgroups() as groups, _nspawn(root, console, groups) as nspawn:
            machine = SystemdMachine(_init(nspawn, console))
            machine.wait_for(lambda: _has_booted(machine), BOOT_S, why="booted")
            if with_meridian:
                install(machine)
            yield machine


def install(machine: SystemdMachine) -> None:
    """Install Meridian's wheel there, beside the locked dependencies, and its unit."""
    built = wheel()
    machine.copy(built, f"/opt/{built.name}")
    python = f"{VENV}/bin/python"
    machine.run(
        python, "-m", "pip", "install", "-q", "--no-deps", f"/opt/{built.name}", env=FROM_WHEELS
    )
    machine.run("ln", "-s", f"{VENV}/bin/meridian", f"{PREFIX}/bin/meridian")
    machine.copy(CHECKOUT / "systemd/meridian.service", "/etc/systemd/system/meridian.service")
    machine.systemctl("daemon-reload")


@cache
def wheel() -> Path:
    """The wheel of this checkout, built once; from a copy, since a build writes beside its source."""
    folder = Path(tempfile.mkdtemp(prefix="meridian-wheel-"))
    atexit.register(shutil.rmtree, folder)
    source = sources.copy(folder / "source")
    return sources.build(source, folder / "dist", "-t", "wheel")["whl"]


# --- how it comes up -----------------------------------------------------------------------------


@contextmanager
def _cgroups() -> Iterator[list[Path]]:
    """A cgroup of its own for a machine, where systemd looks for one: two would end each other's.

    It has one name in both hierarchies, since nspawn makes that of the second in the first, too.
    """
    name = f"meridian-test-{os.getpid()}-{next(_numbers)}"
    made = [root / name for root in _cgroup_roots()]
    for group in made:
        group.mkdir()
    try:
        yield made
    finally:
        for group in made:
            _remove(group)


def _cgroup_roots() -> list[Path]:
    """Where this process is in the hierarchies that a systemd works in: version 2, or its own."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    own = [line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    path = dict(own)
    unified = [m[1] + path[""] for m in mounts if m[2] == "cgroup2" and "" in path]
    named = [m[1] + path["name=systemd"] for m in mounts if "name=systemd" in m[3].split(",")]
    return [Path(each) for each in (*unified[:1], *named[:1])]


def _remove(group: Path) -> None:
    """Remove a cgroup, once its processes are gone for good."""
    below = sorted(group.rglob("*/"), key=lambda path: len(path.parts), reverse=True)
    end = time.monotonic() + REMOVED_S
    for each in (*below, group):
        while each.is_dir():
            with suppress(OSError):
                each.rmdir()
                break
            assert time.monotonic() < end, f"somebody is still in {each}"
            time.sleep(0.05)


@contextmanager
def _nspawn(root: Path, console: Path, groups: list[Path]) -> Iterator[subprocess.Popen[bytes]]:
    words = [
        *(program("systemd-nspawn"), "--quiet", "--directory", str(root), "--boot"),
        *(
            "--read-only",
            "--volatile=overlay",
        ),  # what is written is in memory; others boot from it too
        *("--private-network", "--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        *("--register=no", "--keep-unit", f"--machine=m{os.getpid()}-{next(_numbers)}"),
    ]
    enter = " ".join(f"echo $$ >{group}/cgroup.procs;" for group in groups)
    with console.open("wb") as output:
        popen = subprocess.Popen(
            ["/bin/sh", "-c", f'{enter} exec "$@"', "sh", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield popen
    finally:
        for pid in _first_processes(popen.pid):  # all others of the machine end with it
            os.kill(pid, signal.SIGKILL)
        try:
            popen.wait(20)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


def _init(nspawn: subprocess.Popen[bytes], console: Path) -> int:
    end = time.monotonic() + BOOT_S
    while not (found := _first_processes(nspawn.pid)):
        assert nspawn.poll() is None, console.read_text(errors="replace")
        assert time.monotonic() < end, console.read_text(errors="replace")
        time.sleep(0.05)
    return found[0]


def _first_processes(parent: int) -> list[int]:
    """The children of a process that are the first of a machine."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if int(facts["PPid"]) == parent and facts["NSpid"].split()[-1] == "1":
                found.append(int(status.parent.name))
    return found


def _has_booted(machine: SystemdMachine) -> bool:
    """Say whether it is up: all units that it starts have started, or have failed."""
    state = machine.run("systemctl", "is-system-running", check=False).stdout.strip()
    return state in ("running", "degraded")
