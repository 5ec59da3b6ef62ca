"""What another user of the machine can't do, and what hostile text can't: on the real thing."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from setting_ranges import RANGES
from users import CAN_READ, OTHER, OWNER, as_user, new_folder, until

from scheduler.crontab import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Person

pytestmark = [pytest.mark.e2e]

SECRET = "hunter2"
BOOT = "@reboot"


LAST_RAN = r"succeeded.*last|last.*succeeded"


@contextmanager
def running(
    command: tuple[str, ...], log: Path, sign: str = LAST_RAN, **options: object
) -> Iterator[None]:
    """A daemon that has told of the end of a job named `last`, or what else is the sign."""
    with log.open("wb") as stream:
        popen = subprocess.Popen(command, stderr=stream, **options)  # type: ignore[call-overload]  # any of Popen's
        try:
            until(lambda: popen.poll() is not None or re.search(sign, log.read_text()))
            assert popen.poll() is None, "it has ended"
            yield
        except AssertionError as error:
            error.add_note(f"The daemon's log: {log.read_text()}")
            raise
        finally:
            popen.terminate()
            popen.wait(timeout=60)


# --- other users ----------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can look into: only what is made in it may keep them out."""
    with new_folder() as folder:
        yield folder


def found(uid: int, folder: Path, *conditions: str) -> list[str]:
    """What a user finds there; whatever they can't look into, they don't."""
    command = as_user(uid, "find", str(folder), *conditions)
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.privileged
@pytest.mark.parametrize("state", ["new", "deep/down/new", "old"])
def test_nobody_else_reads_or_writes_anything_of_the_state(open_folder: Path, state: str) -> None:
    """Not with a umask of 000 either, nor in a folder that all could look into before."""
    place = open_folder / state
    if state == "old":
        place.mkdir(mode=0o755)
        os.chown(place, OWNER, OWNER)
    crontab = open_folder / "crontab"
    crontab.write_text(f"CRON_NAME=last {BOOT} echo {SECRET}\n")
    command = (sys.executable, "-m", "scheduler", "run", str(crontab), "--state", str(place))
    with running(as_user(OWNER, *CAN_READ, *command), open_folder / "log", umask=0, cwd=Path.cwd()):
        assert str(crontab) in found(OTHER, open_folder, "-readable")  # it does look there
        files = found(OWNER, place, "!", "-type", "d")
        names = {Path(path).name for path in files}
        assert {"lock", "journal.db", "journal.db-wal", "1.1.log"} <= names
        assert any(Path(path).is_socket() for path in files)
        assert (
            found(OTHER, place, "!", "-type", "d", "(", "-readable", "-o", "-writable", ")") == []
        )
        assert found(OTHER, open_folder, "-writable", "!", "-path", str(open_folder / "log")) == []


SWAP = """
mv state aside && mkdir -p state/outputs/last && chmod -R 777 state && ln -s /etc state/versions
touch state/journal.db && chmod 666 state/journal.db
"""


@pytest.mark.privileged
@pytest.mark.parametrize("user", [0, OWNER])
def test_a_folder_that_is_swapped_between_two_attempts_gets_nothing(
    open_folder: Path, user: int
) -> None:
    """Though all could write the one above it, from some moment on; and that is refused then."""
    shared = open_folder / "shared"
    shared.mkdir()
    for folder in (open_folder, shared):
        os.chown(folder, user, user)
    crontab, log = open_folder / "crontab", open_folder / "log"
    crontab.write_text(
        f"CRON_RETRIES=9\nCRON_RETRY_DELAY=1s\nCRON_RETRY_FACTOR=1\nCRON_NAME=last\n"
        f"{BOOT} echo {SECRET}; exit 1\n"
    )
    words = (sys.executable, "-m", "scheduler", "run", str(crontab), "--state")
    command = as_user(user, *CAN_READ, *words, str(shared / "state"))
    with log.open("wb") as stream:
        daemon = subprocess.Popen(command, stderr=stream)
    try:
        until((shared / "state/outputs/last/1.1.log").exists)
        shared.chmod(0o777)
        subprocess.run(as_user(OTHER, "sh", "-c", SWAP), cwd=shared, check=True)
        assert daemon.wait(timeout=90) == 1  # it sees that, at the latest before the next minute
    finally:
        daemon.kill()
        daemon.wait()
    assert [*(shared / "state/outputs/last").iterdir()] == []
    theirs = [each for each in (shared / "state").iterdir() if each.stat().st_uid != OTHER]
    assert theirs == [shared / "state/versions"]  # which leads to root's
    assert (shared / "state/journal.db").read_bytes() == b""
    assert SECRET in (shared / "aside/outputs/last/1.1.log").read_text()
    assert "was deleted or replaced" in log.read_text()
    again = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (again.returncode, f"{shared}: everybody can write it" in again.stderr) == (1, True)
    assert f"chmod o-w {shared}" in again.stderr


@pytest.mark.privileged
def test_nobody_else_locks_a_daemon_out(open_folder: Path) -> None:
    """Though they may look into its folder, and have locked whatever they can open there."""
    place = open_folder / "state"
    place.mkdir(mode=0o755)
    for name in ("lock", "control.lock"):
        (place / name).touch()
        (place / name).chmod(0o600)
    for path in (place, *place.iterdir()):
        os.chown(path, OWNER, OWNER)
    crontab = open_folder / "crontab"
    crontab.write_text(f"CRON_NAME=last {BOOT} true\n")
    script = "for f in . lock control.lock; do flock -n $f sleep 600 & done; sleep 0.5; echo; wait"
    held = subprocess.Popen(
        as_user(OTHER, "sh", "-c", script),
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    mine = (sys.executable, "-m", "scheduler")
    command = as_user(OWNER, *CAN_READ, *mine, "run", str(crontab), "--state", str(place))
    try:
        assert held.stdout is not None
        held.stdout.readline()
        folder = os.open(place, os.O_RDONLY)
        with pytest.raises(BlockingIOError):  # the folder itself is locked
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)
        with running(command, open_folder / "log", cwd=Path.cwd()):
            asked = as_user(OWNER, *CAN_READ, *mine, "status", "--json", "--state", str(place))
            told = subprocess.run(asked, check=False, capture_output=True)
            assert (told.returncode, b'"pid"' in told.stdout) == (0, True), told.stderr
    finally:
        os.killpg(held.pid, signal.SIGKILL)
        held.communicate()


def writable(folder: Path) -> list[str]:
    """What others may write of what is in a folder; a link has no mode of its own."""
    command = ("find", str(folder), "-mindepth", "1", "!", "-type", "l", "-perm", "/022")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_with_a_umask_of_000_nothing_that_is_made_can_be_written_by_others(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the folders of a home that lacks them nor what is put in them, by any command."""
    home = person.home / "home"
    home.mkdir(mode=0o700)
    for name, place in (("CONFIGURATION", ".config/x"), ("STATE", ".local/state/x/y")):
        monkeypatch.setenv(f"{name}_DIRECTORY", str(home / place))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(home / "run/x/y"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("TMPDIR", str(person.home))
    monkeypatch.setenv("EDITOR", "sh -c 'echo >>\"$0\"'")
    crontab = person.file(person.line("CRON_NAME=last 0 0 1 1 *", "true"))
    typed = (
        ("install", crontab),
        ("edit",),
        ("remove", "--yes"),
        ("edit",),
    )
    for words in typed:
        with person.starts(*words, umask=0) as command:
            assert command.communicate()[1] == b"", words
        assert command.returncode == 0, words
        assert writable(home) == [], words
    in_shell = ("bash", "-c", '"$@"; exit $?', "bash", sys.executable, "-m", "scheduler")
    completes = (*in_shell, "--install-completion")  # it asks which shell it is called from
    done = subprocess.run(completes, umask=0, capture_output=True, check=False)
    assert (done.returncode, done.stderr, writable(home)) == (0, b"", [])
    assert (home / ".local/state/x/y/versions").is_dir()
    command_line = (
        sys.executable,
        "-m",
        "scheduler",
        "run",
        person.file(f"CRON_NAME=last {BOOT} true\n"),
    )
    with running((*command_line, "--state", str(home / "a/b/c")), person.home / "log", umask=0):
        assert writable(home) == []
    with running(command_line, person.home / "log", umask=0):
        assert (home / "run/x/y/control.sock").is_socket()
        assert writable(home) == []


@pytest.mark.privileged
@pytest.mark.parametrize("how", ["a file", "a link", "a hard link"])
def test_nobody_else_can_plant_a_crontab(open_folder: Path, how: str) -> None:
    """Though by a mistake everybody can write the folder."""
    config, wanted = open_folder / "config", open_folder / "config/crontab"
    config.mkdir()
    config.chmod(0o777)
    good = open_folder / "notes"  # the owner's own, and it reads like a crontab
    good.write_text(f"{BOOT} echo planted\n")
    good.chmod(0o644)
    os.chown(good, OWNER, OWNER)
    script = {
        "a file": f"echo '{BOOT} echo planted' > {wanted}",
        "a link": f"ln -s {good} {wanted}",
        "a hard link": f"ln {good} {wanted} || echo '{BOOT} echo planted' > {wanted}",
    }[how]
    subprocess.run(as_user(OTHER, "sh", "-c", script), check=True, capture_output=True)
    environment = {**os.environ, "CONFIGURATION_DIRECTORY": str(config)}
    command = as_user(OWNER, *CAN_READ, sys.executable, "-m", "scheduler", "list", "--json")
    for mode, why in ((0o777, "everybody can write it"), (0o755, "belongs to user 60125")):
        config.chmod(mode)
        told = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
        assert (told.returncode, told.stdout) == (1, "")
        assert wanted.exists()
        assert why in told.stderr


# --- secrets --------------------------------------------------------------------------------------

SECRETS = f"""
PASSWORD={SECRET}
AWS_SECRET_ACCESS_KEY={SECRET}
CRON_RETRIES=0
{BOOT} DB_PASSWORD={SECRET} sh -c 'exit 3' --token={SECRET} --password {SECRET}
{BOOT} curl https://me:{SECRET}@example.invalid/ -H "Authorization: Bearer {SECRET}" >/dev/null 2>&1
CRON_TZ=No/Where  0 0 * * * login --token={SECRET}
SHELL=/no/such/shell
{BOOT} GITHUB_TOKEN={SECRET} echo $HOME
SHELL=/bin/sh
CRON_NAME=last {BOOT} sleep 0.3; true
"""


@pytest.mark.parametrize("style", ["human", "json", "systemd"])
def test_secrets_are_in_no_log_list_or_history(person: Person, style: str) -> None:
    crontab, log, state = person.file(SECRETS), person.home / "log", person.home / "state"
    command = (sys.executable, "-m", "scheduler", "run", crontab, "--state", str(state))
    with running((*command, "--log-format", style), log):
        until(lambda: len(re.findall("failed", log.read_text())) >= 2)
        status = person.types("status", "--state", str(state))
    told = [log.read_text(), status.output]
    for words in (("list", crontab), ("check", crontab), ("history", "--state", str(state))):
        result = person.types(*words)
        told += [result.output, result.stderr]
    told.append(person.types("history", "--json", "--state", str(state)).output)
    assert [text for text in told if SECRET in text] == []
    assert all(told[0:2])


# --- hostile text ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["..", ".", "a/b", "/etc/passwd", "../../x", "x" * 300, "café", "a\x1b[2Jb", "a\0b", "-rf", ""],
)
def test_no_name_leads_out_of_the_outputs(person: Person, name: str) -> None:
    """Its entry is refused; the daemon runs the rest."""
    text = f"CRON_NAME={name} {BOOT} true\nCRON_NAME=last {BOOT} true\n"
    crontab, log, state = person.file(text), person.home / "log", person.home / "state"
    command = (sys.executable, "-m", "scheduler", "run", crontab, "--state", str(state))
    with running((*command, "--log-format", "human"), log):
        pass
    folders = {path.name for path in (state / "outputs").iterdir()}
    assert "last" in folders
    assert all(re.fullmatch(r"last|true-[0-9a-f]{6}", folder) for folder in folders)
    assert {path.name for path in person.home.iterdir()} <= {"a.crontab", "log", "state", "run"}
    assert steering(log.read_bytes()) == []


HOSTILE = (
    rf"""
CRON_RETRIES=0
CRON_NAME=noise {BOOT} printf '\033]0;owned\007\033[2J\033[31mred\033[0m\n\033P1$r\033\\\302\2332J\r\033[1Aover\n\b\b\177\033]52;c;b3duZWQ=\007\n'
{BOOT} echo "\x1b]0;title\x07 \u202e reversed"; exit 3
CRON_TZ="\x1b[2J" 0 0 * * * true
0 0 * * * "\x9b2J"  \x1b[5m
99 \x1b]0;bad\x07 * * * true
CRON_NAME=last {BOOT} sleep 0.3; true
""".encode()
    .replace(rb"\x1b", b"\x1b")
    .replace(rb"\x07", b"\x07")
    .replace(rb"\x9b", b"\xc2\x9b")
)

COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


def steering(shown: bytes) -> list[bytes]:
    """What of it would do more to a terminal than print, colour, or begin a line."""
    plain = COLOUR.sub(b"", shown).replace(b"\r\n", b"\n")
    return re.findall(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]", plain)


def on_a_terminal(*words: str, stop_at: bytes | None = None) -> bytes:
    """What a person sees of a command whose streams are a terminal."""
    master, slave = pty.openpty()
    command = (sys.executable, "-m", "scheduler", *words)
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    popen = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    shown = b""
    with suppress(OSError):  # EIO: it has ended
        while chunk := os.read(master, 65536):
            shown += chunk
            if stop_at is not None and re.search(stop_at, shown):
                popen.terminate()
    os.close(master)
    popen.wait(timeout=60)
    return shown


def test_hostile_text_does_nothing_to_a_terminal(person: Person) -> None:
    """Neither a job's output, nor a command, nor a crontab's mistakes."""
    crontab, state = person.file(HOSTILE), str(person.home / "state")
    log = on_a_terminal("run", crontab, "--state", state, stop_at=rb"succeeded\S* +last")
    seen = {
        "run": log,
        "logs": on_a_terminal("logs", "noise", "--state", state),
        "history": on_a_terminal("history", "--state", state),
        "list": on_a_terminal("list", crontab),
        "check": on_a_terminal("check", crontab),
        "next": on_a_terminal("next", crontab),
    }
    assert {command: steering(shown) for command, shown in seen.items()} == {
        command: [] for command in seen
    }
    assert b"over" in seen["logs"]
    assert b"noise" in seen["history"]
    assert COLOUR.search(log), "it was a terminal"


FORGED = "2027-03-28 03:00:00+00:00  failed  x  forged"
# What names of files and folders may contain: line ends of many kinds, and what steers a terminal.
ODD_NAME = f"a\n{FORGED}\r{FORGED}\x0b{FORGED}\u2028{FORGED}\x1b[2J\x1b]0;owned\x07\u202e"
BEGINS_A_LINE = re.compile("(?:^|[\\n\\r\\v\\f\\x85\u2028\u2029])" + re.escape(FORGED))


@pytest.mark.parametrize("style", ["human", "json", "systemd"])
def test_no_name_of_a_file_or_folder_forges_a_line_of_the_log(person: Person, style: str) -> None:
    """Where it is read, where it can't be read any more, and where the state is."""
    crontab = Path(person.file(f"{HOSTILE.decode()}61 * * * * x\n", ODD_NAME))
    log, state = person.home / "log", person.home / f"state {ODD_NAME}"
    command = (sys.executable, "-m", "scheduler", "run", str(crontab), "--state", str(state))
    with running((*command, "--log-format", style), log):
        crontab.unlink()
        crontab.mkdir()
        person.types("reload", "--state", str(state))
        until(lambda: "kept" in log.read_text())
    told = log.read_text()
    assert "forged" in told, "it does name them"
    assert BEGINS_A_LINE.search(told) is None
    if style == "human":
        heads = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d  \w")
        assert all(heads.match(line) or line.startswith(" ") for line in told.splitlines())
    assert steering(log.read_bytes()) == []


def test_no_name_of_a_file_or_folder_forges_a_line_of_a_command(person: Person) -> None:
    crontab = person.file("CRON_RETRIES=x\n0 9 * * * echo hi\n61 * * * * x\n", ODD_NAME)
    (person.home / f"state {ODD_NAME}").mkdir(mode=0o777)
    state = ("--state", str(person.home / f"state {ODD_NAME}"))
    asked: list[tuple[str, ...]] = [
        *(("check", each) for each in (crontab, f"{crontab}.none")),
        *(("list", each) for each in (crontab, f"{crontab}.none")),
        ("next", crontab),
        ("audit", crontab, "--year", "2027"),
        ("simulate", crontab, "--from", "2027-01-01", "--until", "2027-01-02"),
        ("why", "x", "9:00", crontab),
        ("install", crontab),
        *((name, *state) for name in ("status", "history", "reload")),
        *((name, "x", *state) for name in ("logs", "trigger", "kill", "why")),
        ("explain", ODD_NAME),
        ("history", ODD_NAME),
        ("status", ODD_NAME),
        (f"x{ODD_NAME}",),
        ("status", f"--{ODD_NAME}"),
    ]
    (person.home / f"state {ODD_NAME}").chmod(0o777)
    said = {words: person.types(*words) for words in asked}
    found = {words: result.stdout + result.stderr for words, result in said.items()}
    runs: list[tuple[str, ...]] = [("run", f"{crontab}.none"), ("run", crontab, *state)]
    for words in runs:
        with person.starts(*words) as refused:
            found[words] = b"".join(refused.communicate()).decode("utf-8", "surrogateescape")
    for words, told in found.items():
        assert told, words
        assert BEGINS_A_LINE.search(told) is None, words
        assert steering(told.encode("utf-8", "surrogateescape")) == [], words


def test_a_byte_that_is_no_utf8_is_shown_as_ls_shows_it(person: Person) -> None:
    """Everywhere: in a line, in a message about it, in a file's name, in what was typed."""
    text = b"""
CRON_NAME=caf\xe9 0 0 * * * true
CRON_TZ=Eur\xe9 0 0 * * * true
CRON_POOL=\xe9 0 0 * * * true
0 25\xe9 * * * true
0 0 * * foo\xe9 true
@reb\xe9 true
CRON_RE\xe9TRIES=1
0 0 * * * echo caf\xe9
SHELL=/no/\xe9
CRON_NAME=shell @reboot echo $HOME
SHELL=/bin/sh
CRON_NAME=last @reboot sleep 0.3; true
"""
    crontab = person.file(text, "caf\udce9.crontab")
    log, state = person.home / "log", str(person.home / "st\udce9")
    command = (sys.executable, "-m", "scheduler", "run", crontab, "--state", state)
    with running((*command, "--log-format", "human"), log):
        told = {
            words: person.types(*words).output
            for words in [
                *((verb, crontab) for verb in ("check", "list", "next")),
                ("status", "--state", state),
                *(("history", "--state", state), ("history", "\udce9", "--state", state)),
                *(("explain", "0 0 * * x\udce9"), ("run", "--grace", "\udce9"), ("zz\udce9",)),
                ("audit", "--year", "\udce9"),
            ]
        }
    told["run",] = log.read_text()
    assert [said for said in told.values() if r"\xe9" not in said] == []
    assert [said for said in told.values() if "udc" in said] == []


def test_the_highest_of_every_number_is_one_that_the_daemon_runs_with(person: Person) -> None:
    lines = [f"{name}={high} CRON_NAME=of-{name} {BOOT} true\n" for name, _, high, *_ in RANGES if name in settings.TABLE and name != "CRON_SPREAD"]  # fmt: skip
    crontab, log = person.file("".join([*lines, f"CRON_NAME=last {BOOT} sleep 1; true\n"])), person.home / "log"  # fmt: skip
    command = (sys.executable, "-m", "scheduler", "run", crontab, "--state", str(person.home / "state"))  # fmt: skip
    highest = ("--max-running", "1000000000", "--keep-runs", "1000000000", "--keep-for", "3650d", "--max-output", "999999999T", "--grace", "366d")  # fmt: skip
    with running((*command, *highest, "--log-format", "human"), log):
        pass
    assert len(re.findall(r"succeeded +of-", log.read_text())) == len(lines), log.read_text()


def inodes(pid: int, kind: str) -> set[str]:
    """All numbers in a table of sockets, their inodes among them."""
    table = Path(f"/proc/{pid}/net/{kind}")
    return set(table.read_text().split()) if table.exists() else set()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells who listens")
def test_nothing_listens_on_the_network(person: Person) -> None:
    """Every socket of the daemon is one of the file system."""
    crontab, log = person.file("CRON_NAME=never 0 0 1 1 * true\n"), person.home / "log"
    state = str(person.home / "state")
    command = (sys.executable, "-m", "scheduler", "run", crontab, "--state", state)
    with running((*command, "--log-format", "json"), log, sign='"crontabs".*\n'):
        assert person.types("status", "--state", state).exit_code == 0, "it answers"
        pid = json.loads(log.read_text().splitlines()[0])["pid"]
        ends = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
        sockets = {end.removeprefix("socket:[").rstrip("]") for end in ends if "socket:" in end}
        assert sockets & inodes(pid, "unix"), "the control socket is one"
        assert [kind for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet") if sockets & inodes(pid, kind)] == []  # fmt: skip
