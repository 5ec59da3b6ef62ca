"""What a job under limits finds: its command, variables and streams as without, and no way out."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from limited_stage import IS_ROOT, MIB, NOBODY, ODD, OWN, Group, Stage
from programs import program

from scheduler.entry import Settings
from scheduler.process import limiter, resource_limits
from scheduler.run import Exited, NotStarted
from scheduler.run import Signalled as Sig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.entry import Environment


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="as Linux limits")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with closing(Stage(tmp_path)) as stage:
        yield stage


@pytest.fixture
def grouped(tmp_path: Path) -> Iterator[Stage]:
    with closing(Stage(tmp_path, Group(tmp_path / "a 'b\" $c"))) as stage:
        yield stage


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


@pytest.mark.slow
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
    monkeypatch.setattr(limiter, "_PROGRAM", Path("/no/limit_exec.py"))
    outcome = stage.run("true", ODD[1], cpu=5)[0].outcome
    assert isinstance(outcome, NotStarted)
    assert outcome.why.startswith("what puts its limits on did not start: ")
    assert "can't open file '/no/limit_exec.py'" in outcome.why


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
