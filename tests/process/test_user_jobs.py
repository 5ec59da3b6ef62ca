"""Jobs of other users: as whom they run, what they find, and what they can't get at."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest
from programs import program
from spawner_stages import FOR_EVER, START, begin, eventually, job
from user_stage import SHARED, UserStage, folder_of_root, user_stage
from users import OTHER, OWNER

from scheduler.entry import Settings
from scheduler.process.launch import Launch
from scheduler.process.procfs import Processes, descendants_of
from scheduler.process.spawner import RealSpawner
from scheduler.run import Attempt, Exited, Limit, NotStarted, Run
from scheduler.system.accounts import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.entry import Entry, Environment
    from scheduler.process.user_jobs import JobUser

pytestmark = pytest.mark.privileged


@pytest.fixture
def users() -> Iterator[UserStage]:
    with user_stage() as stage:
        yield stage


def said(stage: UserStage, command: str, **more: object) -> str:
    """What a job of ann's wrote, which went well."""
    ended, output = stage.run(entry(command, **more))
    assert ended.outcome == Exited(0), output
    return output.decode()


def entry(command: str, **more: object) -> Entry:
    return replace(job(command), **more)  # type: ignore[arg-type]  # as a table has them


def refusal(stage: UserStage, asked: Entry) -> str:
    """Why a job of ann's never came to be."""
    ended, output = stage.run(asked)
    assert isinstance(ended.outcome, NotStarted)
    assert output == b""
    return ended.outcome.why


# --- as whom it runs -----------------------------------------------------------------------------

STATUS = [
    ("Uid", f"{OWNER} {OWNER} {OWNER} {OWNER}", "nothing of root's to go back to"),
    ("Gid", f"{OWNER} {OWNER} {OWNER} {OWNER}", "nor a group"),
    ("Groups", f"{OWNER} {SHARED}", "the user's groups and none of root's"),
    ("CapEff", "0000000000000000", "no capability"),
    ("CapPrm", "0000000000000000", "none to take"),
    ("CapInh", "0000000000000000", "none to hand on"),
    ("CapAmb", "0000000000000000", "none that a program would get"),
    ("SigBlk", "0000000000000000", "a signal reaches it"),
    ("NoNewPrivs", "0", "sudo works for who may use it"),
]


@pytest.mark.parametrize("command", ["/bin/cat /proc/self/status", "exec cat </proc/self/status"])
def test_a_job_is_its_user_and_no_more(users: UserStage, command: str) -> None:
    lines = (line.partition(":") for line in said(users, command).splitlines())
    found = {name: " ".join(value.split()) for name, _, value in lines}
    assert {name: found[name] for name, _, _ in STATUS} == {name: want for name, want, _ in STATUS}
    # Who started these tests may have had more ignored, which the daemon itself would give back.
    assert not int(found["SigIgn"], 16) & ~ignored_before(), "a signal does what it does by default"


def ignored_before() -> int:
    """Which signals this process ignores, as a mask of proc(5), but for those that Python does."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (mask,) = [int(line.split()[1], 16) for line in lines if line.startswith("SigIgn")]
    return mask & ~sum(1 << number - 1 for number in (signal.SIGPIPE, signal.SIGXFSZ))


def test_a_job_finds_what_cron_gives_it(users: UserStage) -> None:
    (users.root / "etc/default").mkdir(parents=True)
    (users.root / "etc/default/locale").write_text("LANG=C.UTF-8\n")
    users.environ["SECRET"] = "of root's daemon"
    found = dict(line.split("=", 1) for line in said(users, "/usr/bin/env").splitlines())
    assert {name: value for name, value in found.items() if not name.startswith("CRON_")} == {
        "HOME": str(users.folder),
        "LANG": "C.UTF-8",
        "LOGNAME": "ann",
        "PATH": "/usr/bin:/bin",
        "PWD": str(users.folder),
        "SHELL": "/bin/sh",
        "USER": "ann",
    }


def test_a_crontab_sets_all_but_its_login_name(users: UserStage) -> None:
    mine = (("LOGNAME", "root"), ("PATH", "/bin"), ("USER", "app"), ("X", "1"))
    words = said(users, "echo $LOGNAME $USER $PATH $X", environment=mine)
    assert words == "ann app /bin 1\n"


def test_a_job_has_its_own_session_its_home_and_cron_s_umask(users: UserStage) -> None:
    before = os.umask(0o077)
    try:
        words = said(users, "ps -o sid= -p $$; echo $$; pwd; umask; ls /proc/self/fd")
    finally:
        os.umask(before)
    session, pid, *rest = words.split()
    assert session == pid
    assert rest == [str(users.folder), "0022", "0", "1", "2", "3"]  # 3 is what ls lists


def test_the_streams_of_a_job_can_be_opened_by_their_names(users: UserStage) -> None:
    """As nobody else's: `> /dev/stderr` fails under cron, whose pipes are root's."""
    assert said(users, "cat /dev/stdin >/dev/stderr", stdin="text\n") == "text\n"


def test_a_home_that_is_not_there_is_the_root_folder_as_for_a_login(users: UserStage) -> None:
    users.accounts["ann"] = replace(users.accounts["ann"], home="/nonexistent")
    assert said(users, "pwd; echo $PWD $HOME") == "/\n/ /nonexistent\n"


def test_a_user_can_be_one_that_is_made_later(users: UserStage) -> None:
    asked = entry("id -u", user="cid")
    found = users.prepare(asked)
    assert found == NotStarted("there is no user cid")
    users.accounts["cid"] = Account("cid", OTHER, OTHER, (OTHER,), "/")
    assert users.run(asked)[1] == f"{OTHER}\n".encode()


def test_an_account_that_is_over_runs_nothing(users: UserStage) -> None:
    users.accounts["ann"] = replace(users.accounts["ann"], expires=1)
    assert users.prepare(job("id")) == NotStarted("the account of ann has expired")


def test_a_user_whom_nobody_tells_of_holds_up_nobody_else(users: UserStage) -> None:
    goes_on, look = Event(), users.users._known._look

    def hangs(name: str) -> JobUser | None:
        if name == "ann":
            assert goes_on.wait(60)
        return look(name)

    users.users._known._look = hangs
    try:
        found = users.prepare(job("id"))
        assert found == NotStarted("the system does not tell now who 'ann' is")
        assert isinstance(found, NotStarted)
        assert not found.by_system  # or the log would say that no job can start
        assert said(users, "id -u", user="bob") == f"{OTHER}\n"
    finally:
        goes_on.set()
    assert said(users, "id -u") == f"{OWNER}\n"


def test_a_system_without_subreapers_runs_no_jobs_of_others(
    users: UserStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.process.as_user.sys.platform", "darwin")
    why = "only Linux has what it takes to run jobs as ann"
    assert users.prepare(job("id")) == NotStarted(why)


def test_only_a_daemon_of_root_s_has_other_users(tmp_path: Path) -> None:
    spawner = RealSpawner({}, str(tmp_path), "ada")
    attempt = Attempt(Run(1, "job", START), 1)
    found = spawner.prepare(entry("id", user="ann"), attempt, tmp_path / "1.log")
    assert found == NotStarted("only a daemon of root's runs jobs as ann")
    mine = spawner.prepare(entry("id", user="ada"), attempt, tmp_path / "1.log")
    assert isinstance(mine, Launch)
    spawner.discard(mine)


# --- what it can't get at ------------------------------------------------------------------------

ATTACKS = [
    ("kill -9 {daemon}", "signal the daemon"),
    ("kill -9 {spawner}", "signal what starts the jobs of all users"),
    ("kill -STOP {spawner}", "stop it, so that nobody's jobs start"),
    ("kill -CONT {spawner}", "even the signal that needs no more than a common session"),
    ("kill -9 {bob}", "signal another user's job"),
    ("cat /proc/{daemon}/environ", "read the daemon's variables"),
    ("cat /proc/{spawner}/environ", "or those of what starts the jobs"),
    ("head -c1 /proc/{spawner}/mem", "trace it: the kernel asks the same as ptrace(2) does"),
    ("ls /proc/{spawner}/fd/", "take its socket"),
    ("cat {output}", "read another user's output"),
    ("echo lie >>{output}", "write to it"),
    ("cat /proc/{bob}/fd/1", "or by the job that has it open"),
    ("f=fd; cat /proc/self/$f/1", "read its own output back: that belongs to root"),
    ("f=fd; chmod 666 /proc/self/$f/1", "open it to others"),
    ("cd {folder}", "enter a folder that root alone may enter"),
]


@pytest.mark.parametrize(("command", "what"), ATTACKS)
def test_a_job_can_t(users: UserStage, command: str, what: str) -> None:
    folder = folder_of_root(users)
    bobs = users.prepare(entry("exec sleep 600", user="bob"))
    assert isinstance(bobs, Launch)
    bob = users.start(bobs)
    names = {"daemon": os.getpid(), "spawner": users.process, "bob": bob, "folder": folder}
    asked = command.format(**names, output=bobs.path)
    ended, output = users.run(asked)
    assert isinstance(ended.outcome, Exited), what
    assert ended.outcome.code != 0, (what, output)
    assert users.spawner.signal(bob, 0), "bob's job goes on"
    assert said(users, "echo well") == "well\n", "and so does what starts the jobs"


HOMES: list[tuple[Environment, str, str]] = [
    ((("HOME", "{folder}"),), "its HOME '{folder}': Permission denied", "root alone may enter it"),
    ((("HOME", "/nowhere"),), "its HOME '/nowhere': No such file or directory", "not there"),
    ((("SHELL", "/nowhere"),), "its SHELL '/nowhere': No such file or directory", "not there"),
    ((("SHELL", "{folder}/sh"),), "its SHELL '{folder}/sh': Permission denied", "root's alone"),
]


@pytest.mark.parametrize(("assigned", "words", "why"), HOMES)
def test_a_job_never_starts_in_or_by_what_its_user_can_t_use(
    users: UserStage, assigned: Environment, words: str, why: str
) -> None:
    folder = folder_of_root(users)
    (folder / "sh").symlink_to("/bin/sh")
    ((name, value),) = assigned
    asked = job("id", assigned=((name, value.format(folder=folder)),))
    assert refusal(users, asked) == words.format(folder=folder), why


LOADED = r"""
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
    FILE *file = fopen(getenv("LOADED"), "a");
    if (file) { fprintf(file, "%d %d %d\n", getuid(), geteuid(), getgid()); fclose(file); }
}
"""


@pytest.mark.parametrize("command", ["/bin/true", "cat; true >/dev/stderr"])
def test_what_a_crontab_has_loaded_is_loaded_as_its_user_alone(
    users: UserStage, command: str
) -> None:
    library, seen = users.folder / "evil.so", users.folder / "loaded"
    build = [program("gcc"), "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(build, input=LOADED.encode(), check=True)
    seen.touch()
    seen.chmod(0o666)  # whoever loads it can say so
    mine = (("LD_PRELOAD", str(library)), ("LOADED", str(seen)), ("PYTHONPATH", "/tmp"))
    settings = Settings(memory=1 << 30, cpu=60, nice=5)
    said(users, command, environment=mine, settings=settings, stdin="text\n")
    assert {*seen.read_text().splitlines()} == {f"{OWNER} {OWNER} {OWNER}"}


# --- in the foreground ---------------------------------------------------------------------------

IN_FRONT = """
import sys
from zoneinfo import ZoneInfo
from scheduler.entry import Entry, Reboot, Settings
from scheduler.process import foreground
from scheduler.process.job_environment import Inheritance
from scheduler.system.clock import RealClock
user, command, home = sys.argv[1:]
assigned = (("HOME", home),) if home else ()
entry = Entry("a", Reboot(), "@reboot", ZoneInfo("UTC"), command, "text", assigned, user=user)
end = foreground.run(entry, Inheritance({"SECRET": "x"}, "/root", "root"), RealClock())
print(end.outcome)
"""
FOREGROUND = [
    ("daemon", "id -u; id -g; umask; cat; echo $HOME$SECRET", "", "1 1 0022 text/usr/sbin exit 0"),
    ("daemon", "kill -TERM $$", "", "signal 15"),
    ("daemon", "id", "/root", "not started: its HOME '/root': Permission denied"),
    ("nobody-has-this", "id", "", "not started: there is no user nobody-has-this"),
    ("root", "id -u", "/root", "0 exit 0"),
]


@pytest.mark.parametrize(("user", "command", "home", "said"), FOREGROUND)
def test_root_runs_another_s_job_in_the_foreground_as_that_user(
    user: str, command: str, home: str, said: str
) -> None:
    words = [sys.executable, "-c", IN_FRONT, user, command, home]
    before = os.umask(0o077)
    try:
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
    finally:
        os.umask(before)
    assert (" ".join(ended.stdout.split()), ended.stderr) == (said, "")


def test_a_job_in_the_foreground_has_nothing_of_what_root_has_open() -> None:
    with Path("/etc/shadow").open() as low:
        high = fcntl.fcntl(low, fcntl.F_DUPFD, 900)
        opened = (low.fileno(), high)
        command = "; ".join(f"test -e /proc/self/fd/{each} && echo open" for each in opened)
        words = [sys.executable, "-c", IN_FRONT, "daemon", f"{command}; echo over", ""]
        ended = subprocess.run(words, capture_output=True, text=True, pass_fds=opened, check=False)
        os.close(high)
    assert ended.stdout == "over\nexit 0\n"


def test_a_job_in_the_foreground_gets_no_terminal_of_root_s_and_steers_none() -> None:
    command = r"tty <&1; test -t 2 || echo none; printf '\033]0;x\007\033[2J\303'; printf '\244'"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, (sys.executable, "-c", IN_FRONT, "daemon", command, ""))
    seen = b""
    with suppress(OSError):  # EIO at its end
        while piece := os.read(terminal, 1024):
            seen += piece
    os.close(terminal)
    os.waitpid(pid, 0)
    text = "not a tty\r\nnone\r\n\\x1b]0;x\\x07\\x1b[2Jäexit 0\r\n"
    assert seen.decode() == text


LEFT_BEHIND = [
    ("sleep 60 & echo over", "over\n", "it holds the pipe open"),
    ("echo over; exec >/dev/null; sleep 60 &", "over\n", "it does not"),
    ("head -c 1000000 /dev/zero | tr '\\0' x", "x" * 1_000_000, "more than a pipe holds"),
]


@pytest.mark.parametrize(("command", "said", "why"), LEFT_BEHIND)
def test_what_a_job_in_the_foreground_wrote_comes_whole_and_what_it_left_is_not_waited_for(
    command: str, said: str, why: str
) -> None:
    words = [sys.executable, "-c", IN_FRONT, "daemon", command, ""]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert ended.stdout == f"{said}exit 0\n", why


def test_what_a_job_in_the_foreground_left_behind_may_write_for_ever() -> None:
    words = [sys.executable, "-c", IN_FRONT, "daemon", "yes & sleep 0.2", ""]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert ended.stdout.endswith("exit 0\n")


def test_a_job_in_the_foreground_ends_when_nobody_takes_what_it_writes() -> None:
    words = [sys.executable, "-c", IN_FRONT, "daemon", "exec yes", ""]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.read(2) == b"y\n"
    process.stdout.close()
    process.wait(30)


# --- limits --------------------------------------------------------------------------------------

LIMITS = [
    ("ann hard nofile 99", Settings(), "ulimit -Hn; ulimit -Sn", "99 99", "soft is no more"),
    ("ann - core 0\nann soft fsize 77", Settings(), "ulimit -c; ulimit -Sf", "0 154", "two"),
    ("* - cpu 1", Settings(), "ulimit -t", "60", "a minute"),
    ("", Settings(cpu=30), "ulimit -St; ulimit -Ht", "30 40", "CRON_CPU"),
    ("ann - cpu 1", Settings(cpu=3600), "ulimit -St; ulimit -Ht", "60 60", "which gives no more"),
    ("", Settings(memory=1 << 29), "ulimit -d", "524288", "CRON_MEMORY"),
    ("ann - data 99999", Settings(memory=1 << 29), "ulimit -d", "99999", "which gives no more"),
    ("", Settings(nice=7), "nice", "7", "CRON_NICE"),
    ("ann - priority 3", Settings(), "nice", "3", "as login gives it"),
    ("ann - nonewprivs 1", Settings(), "grep -c 'NoNewPrivs:.1' /proc/self/status", "1", "no sudo"),
]


@pytest.mark.parametrize(("conf", "settings", "command", "expected", "why"), LIMITS)
def test_a_job_is_limited_by_its_administrator_and_its_crontab(
    users: UserStage, conf: str, settings: Settings, command: str, expected: str, why: str
) -> None:
    users.limits(conf)
    assert " ".join(said(users, command, settings=settings).split()) == expected, why


def test_a_crontab_s_limit_ends_a_job_and_is_told(users: UserStage) -> None:
    asked = entry("while :; do :; done", settings=Settings(cpu=1))
    assert users.run(asked)[0].limit is Limit.CPU


@dataclass
class OneGroup:
    """A cgroup of root's, as far as who joins it can see."""

    folder: Path

    def make(self, _name: str, _memory: int) -> Path:
        return self.folder

    def ran_out(self, _group: Path) -> bool:
        return False

    def remove(self, _group: Path) -> None:
        pass

    def living(self, _name: str) -> list[int]:
        return []


def test_root_puts_a_job_into_its_cgroup_before_it_is_the_user_s(users: UserStage) -> None:
    folder = folder_of_root(users)
    asked = entry("id -u", settings=Settings(memory=1 << 26))
    users.groups = OneGroup(folder)
    users.spawner = users.new()
    assert refusal(users, asked) == (
        "CRON_MEMORY=64M: it could not join its cgroup: No such file or directory"
    )
    (folder / "cgroup.procs").touch(mode=0o600)
    assert users.run(asked)[1] == f"{OWNER}\n".encode()
    assert (folder / "cgroup.procs").read_text() == "0"


def test_too_little_for_a_shell_is_said_so(users: UserStage) -> None:
    words = refusal(users, entry("id", settings=Settings(memory=100 << 10)))
    assert words == "CRON_MEMORY=100K: too little for a shell to start"


def test_a_user_with_too_many_processes_gets_no_other_and_is_told(users: UserStage) -> None:
    users.limits("ann - nproc 1")
    for _ in range(2):  # as the kernel counts, that many are one too many for the next
        pid = begin(users, *FOR_EVER)
        eventually(lambda pid=pid: is_anns(pid))  # type: ignore[misc]  # a default is no argument
    why = refusal(users, job("id"))
    assert why == "no new process for its user: Resource temporarily unavailable"


def is_anns(pid: int) -> bool:
    """Whether a process has become ann's, or is gone."""
    folder = Path(f"/proc/{pid}")
    return not folder.exists() or folder.stat().st_uid == OWNER


def test_a_chroot_is_refused_rather_than_forgotten(users: UserStage) -> None:
    users.limits("ann - chroot /jail")
    why = "limits.conf gives ann a chroot, and Meridian makes none"
    assert users.prepare(job("id")) == NotStarted(why)


# --- what got away -------------------------------------------------------------------------------


def test_what_got_away_is_found_for_its_own_user_alone(users: UserStage) -> None:
    """bob says of his process that it is ann's job; he can't have hers ended later for that."""
    anns = users.prepare(job("setsid sleep 600 & exec sleep 600"))
    assert isinstance(anns, Launch)
    ann = users.start(anns)
    number = anns.attempt.run.number
    claim = f"CRON_RUN={number} CRON_ATTEMPT={anns.attempt.number} CRON_JOB=job setsid sleep 600 & exec sleep 600"
    bobs = users.prepare(entry(claim, user="bob"))
    assert isinstance(bobs, Launch)
    bob = users.start(bobs)
    eventually(lambda: len(sleeping()) == 4)
    users.spawner.signal(ann, signal.SIGTERM)
    users.end(ann)
    users.spawner.release(ann)
    found = users.spawner.escaped({anns.attempt: ann})
    (process,) = found[anns.attempt]
    assert os.stat(f"/proc/{process.pid}").st_uid == OWNER  # noqa: PTH116
    users.spawner.end(process, signal.SIGKILL)
    users.wait(process.pid)
    assert users.spawner.escaped({}) == {}
    assert list(users.uids()) == [bob], "the daemon remembers those that run"


def sleeping() -> list[int]:
    """Who sleeps among all that descends from this process."""
    found = descendants_of(os.getpid(), Processes().everybody())
    commands = {each: Path(f"/proc/{each}/cmdline").read_bytes() for each in found}
    return [pid for pid, words in commands.items() if words.startswith(b"sleep\0")]
