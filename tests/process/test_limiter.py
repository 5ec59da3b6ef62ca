"""Limits on real processes: what a job finds, which limit ended it, and no job without its limit."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from fakes import utc
from programs import program

from scheduler.entry import Entry, Reboot, Settings
from scheduler.process import limiter, resource_limits
from scheduler.process.limiter import Limiter, look_for
from scheduler.process.spawner import RealSpawner
from scheduler.run import Attempt, Exited, Limit, NotStarted, Run
from scheduler.run import Signalled as Sig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.entry import Environment
    from scheduler.process.reaper import Ended

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="as Linux limits")

MIB = 2**20
OWN = os.getpriority(os.PRIO_PROCESS, 0)
IS_ROOT = os.geteuid() == 0
NOBODY = 65534


@dataclass
class Group:
    """A stand-in for the cgroups: plain files that a shell can write to."""

    folder: Path
    made: list[tuple[str, int]] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    full: bool = False
    error: OSError | None = None

    def make(self, name: str, memory: int) -> Path | None:
        if self.error is not None:
            raise self.error
        self.made.append((name, memory))
        self.folder.mkdir(exist_ok=True)
        (self.folder / "cgroup.procs").touch()
        return self.folder

    def ran_out(self, group: Path) -> bool:
        assert group == self.folder
        return self.full

    def remove(self, group: Path) -> None:
        self.removed.append(group)

    def living(self, _name: str) -> list[int]:
        return []


@dataclass
class Stage:
    """A spawner whose jobs run one after the other."""

    folder: Path
    groups: Group | None = None
    number: int = 0
    pids: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        path = {"PATH": os.environ["PATH"]}
        self.spawner = RealSpawner(path, str(self.folder), "ada", groups=self.groups)

    def begin(
        self, command: str, assigned: Environment = (), stdin: str | None = None, **chosen: Any
    ) -> int | NotStarted:
        self.number += 1
        settings = Settings(**chosen)
        zone = ZoneInfo("UTC")
        entry = Entry("job", Reboot(), "@reboot", zone, command, stdin, assigned, settings)
        attempt = Attempt(Run(self.number, "job", utc(2027, 3, 28)), 1)
        launch = self.spawner.prepare(entry, attempt, self.output())
        found = launch if isinstance(launch, NotStarted) else self.spawner.start(launch)
        if isinstance(found, int):
            self.pids.append(found)
        return found

    def run(self, command: str, assigned: Environment = (), **chosen: Any) -> tuple[Ended, str]:
        pid = self.begin(command, assigned, **chosen)
        assert isinstance(pid, int), pid
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        while not (ended := self.spawner.ended()):
            time.sleep(0.01)  # what it wrote is being copied
        return ended[0], self.output().read_text()

    def output(self) -> Path:
        return self.folder / f"{self.number}.log"

    def close(self) -> None:
        """Kill the groups of those who are not buried, whose numbers are nobody else's."""
        for pid in self.pids:
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                os.killpg(pid, signal.SIGKILL)
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.spawner.ended()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with closing(Stage(tmp_path)) as stage:
        yield stage


@pytest.fixture
def grouped(tmp_path: Path) -> Iterator[Stage]:
    with closing(Stage(tmp_path, Group(tmp_path / "a 'b\" $c"))) as stage:
        yield stage


def python(code: str) -> str:
    return f"exec {sys.executable} -S -E -c '{code}'"


# --- what a job finds ----------------------------------------------------------------------------


def test_a_job_finds_its_limits_and_keeps_its_own_place(stage: Stage) -> None:
    command = "ulimit -St; ulimit -Ht; ulimit -d; nice; pwd; echo $0"
    ended, output = stage.run(command, cpu=0.5, memory=512 * MIB, nice=OWN + 3)
    assert output.split() == ["1", "11", "524288", str(OWN + 3), str(stage.folder), "/bin/sh"]
    assert (ended.outcome, ended.limit) == (Exited(0), None)


def test_without_limits_a_job_finds_none(stage: Stage) -> None:
    own = [resource.getrlimit(each) for each in (resource.RLIMIT_CPU, resource.RLIMIT_DATA)]
    assert all(each[0] == resource.RLIM_INFINITY for each in own)
    assert stage.run("ulimit -t; ulimit -d; nice")[1].split() == [
        "unlimited",
        "unlimited",
        str(OWN),
    ]


HOSTILE = [
    ("printf '[%s]' \"it's\"", "[it's]", "quotes"),
    ("echo a\necho b", "a\nb\n", "lines"),
    ("echo '50%' \\% \"$((1+1))\"", "50% % 2\n", "signs of cron and of the shell"),
    ('exec printf %s "$#"', "0", "no words left over"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "output", "why"), HOSTILE)
def test_a_command_reaches_its_shell_as_it_is(
    stage: Stage, command: str, output: str, why: str
) -> None:
    assert stage.run(command, cpu=5)[1] == output, why


def test_the_shell_of_the_crontab_gets_the_command(stage: Stage) -> None:
    assert stage.run("echo ${BASH_VERSION:+bash}", (("SHELL", "/bin/bash"),), cpu=5)[1] == "bash\n"
    shell = stage.folder / "a shell"
    shell.write_text('#!/bin/sh\nprintf "[%s]" "$@"\n')
    shell.chmod(0o755)
    for chosen in ({"cpu": 5}, {"nice": OWN + 1}):
        assert stage.run("two  words", (("SHELL", str(shell)),), **chosen)[1] == "[-c][two  words]"
    assert stage.run("x", (("SHELL", "./a shell"),), cpu=5)[1] == "[-c][x]", "from the home"


@pytest.mark.parametrize(
    ("shell", "why"),
    [
        ("/no/shell", "No such file or directory"),
        ("no-shell", "No such file or directory"),
        ("/", "Permission denied"),
        ("", "Permission denied"),
    ],
)
def test_a_shell_that_cannot_be_started_is_no_start(stage: Stage, shell: str, why: str) -> None:
    found = stage.begin("true", (("SHELL", shell),), cpu=5)
    assert found == NotStarted(f"its SHELL {shell!r}: {why}")


def test_standard_input_and_every_variable_arrive(stage: Stage) -> None:
    pid = stage.begin("cat", stdin="50%\n", cpu=5)
    assert isinstance(pid, int)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    stage.spawner.ended()
    assert stage.output().read_text() == "50%\n"
    odd = (("a.b", "x y"), ("\u00e9", "z"), ("IFS", "t"), ("PLAIN", "1"))
    stage.run("env -0", (*odd, ("SHELL", "/bin/bash")), cpu=5, nice=OWN + 1)
    found = stage.output().read_text().split("\0")
    assert {f"{name}={value}" for name, value in odd if name != "IFS"} <= set(found)
    assert "CRON_RUN=2" in found


ODD = [(), (("my.password", "x"),)]  # without a name that a shell drops, and with one
SECRETS = (
    *(
        ("my.password", "s3cr3t-1"),
        ("1st", "s3cr3t-2"),
        ("a-b", "s3cr3t-3"),
        ("\u00e9", "s3cr3t-4"),
    ),
    *(
        ("PASSWORD", "s3cr3t-5"),
        ("BASH_FUNC_f%%", "() { echo s3cr3t-6; }"),
        ("LC_CTYPE", "s3cr3t-7"),
    ),
)


@pytest.mark.parametrize("secrets", [SECRETS, SECRETS[4:5]], ids=["odd names", "a plain name"])
@pytest.mark.parametrize("chosen", [{"memory": 512 * MIB}, {"cpu": 5, "memory": 512 * MIB}])
def test_no_value_of_the_environment_is_ever_an_argument(
    grouped: Stage, chosen: dict[str, Any], secrets: Environment
) -> None:
    """Anybody on the machine may read /proc/PID/cmdline, from the first moment to the last."""
    assert grouped.groups is not None
    procs = grouped.groups.folder / "cgroup.procs"
    procs.parent.mkdir()
    os.mkfifo(procs)  # so that what puts the limits on is held up until somebody reads
    assigned = (*secrets, ("SHELL", "/bin/bash"))  # which keeps them all
    pid = grouped.begin("read x </dev/zero & sleep 0.3; kill $!; env -0", assigned, **chosen)
    assert isinstance(pid, int)
    time.sleep(0.1)
    before = [each.read_bytes() for each in command_lines(pid)]
    assert all(b"cgroup.procs" in line for line in before), "it puts limits on"
    with procs.open("rb"):
        seen = set(before)
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            with suppress(FileNotFoundError, ProcessLookupError):  # one has just ended
                seen |= {each.read_bytes() for each in command_lines(pid)}
            time.sleep(0.001)
    assert any(b"cgroup.procs" not in line and b"read x" in line for line in seen), "it is the job"
    assert not [line for line in seen if b"s3cr3t" in line]
    os.killpg(pid, signal.SIGKILL)
    grouped.spawner.ended()
    found = set(grouped.output().read_bytes().split(b"\0"))
    assert {f"{name}={value}".encode() for name, value in secrets if "%" not in name} <= found
    is_exported = any(each.startswith(b"BASH_FUNC_f%%=") for each in found)  # bash words it anew
    assert is_exported is (secrets == SECRETS)


def command_lines(pid: int) -> list[Path]:
    """What there is of this process and its children."""
    mine = Path(f"/proc/{pid}")
    children = (mine / f"task/{pid}/children").read_text().split()
    return [Path("/proc") / each / "cmdline" for each in (str(pid), *children)]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "locale", [(), (("LC_CTYPE", "C"),), (("LC_ALL", "C"),), (("LC_CTYPE", ""),)]
)
def test_limits_change_nothing_else_that_a_job_finds(
    stage: Stage, odd: Environment, locale: Environment
) -> None:
    command = (
        "env | grep -v CRON_RUN= | sort; grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status; umask; "
        "ulimit -a | grep -v -e cpu -e time; for n in $(seq 0 300); do [ ! -e /proc/$$/fd/$n ] || echo $n; done"
    )
    assigned = (*odd, *locale, ("SHELL", "/bin/bash"))
    plain, limited = (stage.run(command, assigned, **chosen)[1] for chosen in ({}, {"cpu": 5}))
    assert limited == plain


@pytest.mark.parametrize("odd", ODD)
def test_no_job_can_say_in_our_name_that_it_was_not_started(stage: Stage, odd: Environment) -> None:
    words = "meridian: not started: CRON_CPU=5s: the daemon itself has less"
    everywhere = f"for n in $(seq 0 99); do echo '{words}' >/proc/self/fd/$n; done 2>/dev/null"
    for command in (f"echo '{words}'", f"echo '{words}' >&2", everywhere):
        ended, _ = stage.run(f"{command}; exit 126", odd, cpu=5)
        assert ended.outcome == Exited(126), command


def test_the_daemon_keeps_no_descriptor_of_a_job_that_runs(stage: Stage) -> None:
    before = pipes()
    pids = [stage.begin("exec sleep 60", odd, cpu=5) for odd in ODD * 3]
    for pid in pids:
        while not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep"):
            time.sleep(0.01)
    assert stage.spawner.ended() == [], "a look at who has ended, as at each turn of the loop"
    assert pipes() == before
    for pid in pids:
        assert isinstance(pid, int)
        os.killpg(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert {ended.outcome for ended in stage.spawner.ended()} == {Sig(signal.SIGKILL)}


def pipes() -> set[str]:
    links = Path("/proc/self/fd").iterdir()
    return {link for each in links if (link := os.path.realpath(each)) and "pipe:" in link}


def test_a_python_that_is_gone_meanwhile_starts_no_job_without_its_limits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/python")
    assert stage.begin("true", ODD[1], cpu=5) == NotStarted(
        "what puts its limits on, '/no/python': No such file or directory"
    )
    monkeypatch.undo()
    monkeypatch.setattr(limiter, "_PROGRAM", Path("/no/limited.py"))
    outcome = stage.run("true", ODD[1], cpu=5)[0].outcome
    assert isinstance(outcome, NotStarted)
    assert outcome.why.startswith("what puts its limits on did not start: ")
    assert "can't open file '/no/limited.py'" in outcome.why


@pytest.mark.parametrize("shim", ["sh", "python"])
def test_a_job_begins_even_if_its_daemon_is_gone(shim: str) -> None:
    """The daemon was killed between a start and its report: nobody reads that any more."""
    python = (sys.executable.encode(), b"-I", b"-S", bytes(limiter._PROGRAM))
    words = resource_limits.words(Settings(cpu=5), python=python if shim == "python" else None)
    report, end = os.pipe()
    os.close(report)
    with subprocess.Popen(
        [*words, b"/bin/echo", b"ran"], stdout=subprocess.PIPE, stderr=end
    ) as job:
        os.close(end)
        assert job.communicate()[0] == b"ran\n"


SHELLS = pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh"])


def program_of(shell: str) -> list[str]:
    name, *options = shell.split()
    return [program(name), *options]


@SHELLS
def test_each_shell_that_may_be_sh_puts_limits_on(
    tmp_path: Path, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, *_ = program_of(shell)
    (tmp_path / "sh").symlink_to(program)
    monkeypatch.setattr(resource_limits, "SHELL", str(tmp_path / "sh"))
    grouped = Stage(tmp_path, Group(tmp_path / "group"))
    command = "ulimit -St; ulimit -Ht; ulimit -d; nice"
    _, output = grouped.run(command, cpu=5, memory=MIB, nice=OWN + 3)
    assert output.split() == ["5", "15", "unlimited", str(OWN + 3)]
    assert (tmp_path / "group" / "cgroup.procs").read_text() == "0\n"
    assert Stage(tmp_path).run(command, memory=MIB * 99)[1].split()[2] == str(99 * 1024)


@SHELLS
@pytest.mark.parametrize("procs", ["/dev/full", "/no/such/group/cgroup.procs", "/proc/version"])
def test_no_shell_runs_a_job_outside_its_group(shell: str, procs: str) -> None:
    found = started(shell, Settings(memory=MIB), group=procs.encode())
    assert found == (126, "meridian: not started: CRON_MEMORY=1M: it could not join its cgroup\n")


@SHELLS
@pytest.mark.parametrize(
    ("own", "settings", "expected"),
    [
        ("-t 3", Settings(cpu=5), "CRON_CPU=5s: the daemon itself has less"),
        ("-t 6", Settings(cpu=5, kill_after=2), "CRON_CPU=5s: the daemon itself has less"),
        ("-d 9000", Settings(memory=10 * MIB), "CRON_MEMORY=10M: the daemon itself has less"),
    ],
)
def test_no_shell_runs_a_job_under_another_limit(
    shell: str, own: str, settings: Settings, expected: str
) -> None:
    assert started(shell, settings, before=f"ulimit {own}") == (
        126,
        f"meridian: not started: {expected}\n",
    )


def started(
    shell: str, settings: Settings, *, group: bytes | None = None, before: str = ":"
) -> tuple[int, str]:
    """Start `echo ran` under limits by that shell, as nobody special; its status and output."""
    words = resource_limits.words(settings, group=group)[1:]
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            f'{before}; exec "$@"',
            "sh",
            *program_of(shell),
            *words,
            "/bin/echo",
            "ran",
        ],
        capture_output=True,
        text=True,
        check=False,
        user=NOBODY if IS_ROOT else None,
    )
    assert (done.stdout == "") is (done.returncode == 126)
    return done.returncode, done.stderr


# --- what ends a job -----------------------------------------------------------------------------


def test_cpu_time_ends_a_job_and_the_ending_says_so(stage: Stage) -> None:
    ended, _ = stage.run("while :; do :; done", cpu=1)
    assert (ended.outcome, ended.limit) == (Sig(signal.SIGXCPU), Limit.CPU)
    ended, _ = stage.run("sh -c 'while :; do :; done'; exit $?", cpu=1)
    assert (ended.outcome, ended.limit) == (Exited(128 + signal.SIGXCPU), Limit.CPU)


def test_who_ignores_the_first_signal_is_killed_by_the_second(stage: Stage) -> None:
    ended, _ = stage.run("trap '' XCPU; while :; do :; done", cpu=1, kill_after=0)
    assert (ended.outcome, ended.limit) == (Sig(signal.SIGKILL), Limit.CPU)


def test_a_job_that_is_killed_by_somebody_is_ended_by_no_limit(stage: Stage) -> None:
    ended, _ = stage.run("kill -9 $$", cpu=60, memory=512 * MIB)
    assert (ended.outcome, ended.limit) == (Sig(signal.SIGKILL), None)


def test_memory_that_is_written_to_is_limited(stage: Stage) -> None:
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    most = own + 400 * MIB
    fill = f"pieces = []\nwhile True: pieces.append(bytearray({MIB}))"
    ended, output = stage.run(python(fill), memory=most)
    assert "MemoryError" in output  # 3.13 has too little left to tell where it was
    assert (ended.outcome, ended.limit) == (Exited(1), Limit.MEMORY)
    ended, _ = stage.run(python("raise SystemExit(1)"), memory=most)
    assert (ended.outcome, ended.limit) == (Exited(1), None), "it failed for a reason of its own"


def test_address_space_that_is_only_reserved_is_free(stage: Stage) -> None:
    reserve = (
        "import mmap; m = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE, prot=0); print(len(m))"
    )
    code = reserve.replace("prot=0", "prot=mmap.PROT_READ")
    assert stage.run(python(code), memory=64 * MIB)[1] == f"{1 << 40}\n"


def test_a_program_with_a_large_address_space_starts(stage: Stage) -> None:
    program("node")
    ended, output = stage.run('node -e "console.log(6 * 7)"', memory=512 * MIB)
    assert (ended.outcome, output) == (Exited(0), "42\n")


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("memory", "told"), [(1, "1"), (8 << 10, "8K"), (64 << 10, "64K")])
def test_a_limit_below_what_a_shell_needs_says_so(
    stage: Stage, memory: int, told: str, odd: Environment
) -> None:
    ended, output = stage.run("echo ran", odd, memory=memory)
    assert ended.outcome == NotStarted(f"CRON_MEMORY={told}: too little for a shell to start")
    assert output == ""


# --- niceness ------------------------------------------------------------------------------------


IN_A_PROCESS = """
import os, resource, sys
from pathlib import Path
from scheduler.process.limiter import Limiter
from scheduler.entry import Settings
{before}
found = Limiter().prepare(Settings(nice=int(sys.argv[1])), None, {{}})
print(getattr(found, "why", "allowed"), os.getpriority(os.PRIO_PROCESS, 0))
"""


@pytest.mark.parametrize(
    ("nice", "rights", "expected", "why"),
    [
        (OWN - 1, "none", f"CRON_NICE={OWN - 1}: not permitted", "nice(1) would only warn"),
        (OWN, "none", "allowed", "no change"),
        (OWN + 1, "none", "allowed", "everybody may be nicer"),
        (OWN - 1, "limit", "allowed", "RLIMIT_NICE allows it"),
        (OWN - 5, "limit", f"CRON_NICE={OWN - 5}: not permitted", "but no more than that"),
        (OWN - 5, "root", "allowed", "root may"),
    ],
)
def test_who_may_not_be_less_nice_does_not_start(
    nice: int, rights: str, expected: str, why: str
) -> None:
    if not IS_ROOT and rights != "none":
        pytest.skip("only root can give these rights")
    limit = f"resource.setrlimit(resource.RLIMIT_NICE, ({21 - OWN}, {21 - OWN}))"
    before = {
        "none": f"os.geteuid() or os.setresuid({NOBODY}, {NOBODY}, {NOBODY})",
        "limit": f"{limit}; os.setuid({NOBODY})",
        "root": "",
    }[rights]
    words = [sys.executable, "-c", IN_A_PROCESS.format(before=before), str(nice)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "not allowed to raise maximum limit" in done.stderr:
        pytest.skip("root itself lacks a right (CAP_SYS_RESOURCE) to give this one")
    assert (done.stdout, done.stderr) == (f"{expected} {OWN}\n", ""), why


@pytest.mark.skipif(not IS_ROOT, reason="only root may be less nice")
def test_root_may_be_less_nice(stage: Stage) -> None:
    assert stage.run("nice", nice=-5)[1] == "-5\n"
    assert os.getpriority(os.PRIO_PROCESS, 0) == OWN, "the daemon itself is as it was"


# --- groups --------------------------------------------------------------------------------------


def test_an_attempt_joins_its_group_before_it_is_the_job(grouped: Stage) -> None:
    groups = grouped.groups
    assert groups is not None
    ended, output = grouped.run("ulimit -d; exit 1", memory=512 * MIB)
    assert (groups.folder / "cgroup.procs").read_text() == "0\n"
    assert output == "unlimited\n", "one limit, not two"
    assert (ended.limit, groups.removed) == (None, [groups.folder])
    assert groups.made == [("1.1", 512 * MIB)]
    groups.full = True
    assert grouped.run("kill -9 $$", memory=512 * MIB)[0].limit == Limit.MEMORY


def test_only_who_has_a_memory_limit_gets_a_group(grouped: Stage) -> None:
    grouped.run("true", cpu=5, nice=OWN)
    grouped.run("true")
    assert grouped.groups is not None
    assert grouped.groups.made == []


def test_a_group_that_cannot_be_made_is_no_start(grouped: Stage) -> None:
    assert grouped.groups is not None
    grouped.groups.error = OSError(30, "Read-only file system")
    found = grouped.begin("true", memory=512 * MIB)
    assert found == NotStarted("CRON_MEMORY=512M: its cgroup: Read-only file system")
    assert grouped.output().read_bytes() == b"", "meridian logs has nothing to show"


def test_a_group_that_is_gone_before_the_start_is_no_start(grouped: Stage) -> None:
    groups = grouped.groups
    assert groups is not None
    groups.folder.write_text("not a folder")
    groups.make = lambda *_: groups.folder  # type: ignore[method-assign]  # a group that vanished
    ended, output = grouped.run("echo ran", memory=512 * MIB)
    assert ended.outcome == NotStarted("CRON_MEMORY=512M: it could not join its cgroup")
    assert ended.limit is None
    assert output == "", "what is said of a job is not in its output"


def test_a_start_that_fails_or_is_let_go_leaves_no_group(grouped: Stage) -> None:
    groups = grouped.groups
    assert groups is not None
    assert isinstance(grouped.begin("true", (("HOME", "/nowhere"),), memory=MIB), NotStarted)
    assert groups.removed == [groups.folder]
    entry = Entry(
        "job", Reboot(), "@reboot", ZoneInfo("UTC"), "true", settings=Settings(memory=MIB)
    )
    attempt = Attempt(Run(9, "job", utc(2027, 3, 28)), 1)
    launch = grouped.spawner.prepare(entry, attempt, grouped.output())
    assert not isinstance(launch, NotStarted)
    grouped.spawner.discard(launch)
    assert groups.removed == [groups.folder] * 2


def test_where_nothing_limits_memory_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    attempt = Attempt(Run(1, "job", utc(2027, 3, 28)), 1)
    found = Limiter().prepare(Settings(memory=MIB), attempt, {})
    assert found == NotStarted("CRON_MEMORY=1M: only Linux has such a limit")


def test_a_shell_is_looked_for_as_its_start_would(tmp_path: Path) -> None:
    look_for(b"sh", b"/", b"/usr/bin:/bin")
    with pytest.raises(FileNotFoundError):
        look_for(b"sh", b"/", os.fsencode(tmp_path))
