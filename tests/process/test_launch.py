"""What a job starts with: input, output, descriptors, shell; and what does not start."""

from __future__ import annotations

import os
import resource
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spawner_stages import FOR_EVER, RealStage, begin, eventually, job, on_linux, real_stage

from scheduler.process.launch import Launch
from scheduler.run import Exited, NotStarted, Signalled

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    yield from real_stage(tmp_path)


def variables(output: bytes) -> dict[str, str]:
    lines = output.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
    return dict(line.split("=", 1) for line in lines)


# --- input, output, descriptors, process group ---------------------------------------------------


@pytest.mark.parametrize(
    ("stdin", "expected", "why"),
    [
        (None, b"0\n", "without a % there is nothing to read"),
        ("", b"0\n", "a % with nothing behind it"),
        ("a\nb\n", b"4\n", "lines"),
        ("x" * 1_000_000, b"1000000\n", "more than a pipe holds"),
    ],
)
def test_standard_input_is_the_text_behind_the_percent_sign(
    real: RealStage, stdin: str | None, expected: bytes, why: str
) -> None:
    assert real.run(job("wc -c", stdin=stdin))[1] == expected, why


def test_a_megabyte_of_input_that_nobody_reads_holds_nobody_up(real: RealStage) -> None:
    assert real.run(job("exit 5", stdin="x" * 1_000_000))[0].outcome == Exited(5)


def test_a_job_leads_a_session_and_a_group_of_its_own(real: RealStage) -> None:
    pid = begin(real, *FOR_EVER)
    assert (os.getsid(pid), os.getpgid(pid)) == (pid, pid)


@on_linux
def test_a_job_inherits_no_descriptors(real: RealStage) -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    try:
        for command in ("ls /proc/self/fd", "ls /proc/self/fd; :"):
            assert real.run(job(command, stdin="x"))[1].split() == [b"0", b"1", b"2", b"3"], command
    finally:
        os.close(read)
        os.close(write)


def test_output_and_errors_go_to_one_private_file_byte_by_byte(real: RealStage) -> None:
    mask = os.umask(0)
    try:
        ended, output = real.run(r"printf 'a\0\377\r\n'; echo oops >&2; printf '\033[31m'")
    finally:
        os.umask(mask)
    assert ended.outcome == Exited(0)
    assert output == b"a\0\xff\r\noops\n\x1b[31m"
    assert real.output().stat().st_mode & 0o777 == 0o600


@on_linux
@pytest.mark.parametrize("name", ["/proc/self/fd/1", "/proc/self//fd/1"], ids=["pipe", "file"])
def test_two_writers_of_one_file_never_overwrite_each_other(name: str, real: RealStage) -> None:
    loop = "i=0; while [ $i -lt 200 ]; do echo {}; i=$((i+1)); done"
    command = f"({loop.format('one')}) & ({loop.format('two')}) >> {name}; wait"
    lines = real.run(command)[1].split()
    assert (lines.count(b"one"), lines.count(b"two")) == (200, 200)


def test_the_output_of_a_journal_that_was_thrown_away_makes_room(real: RealStage) -> None:
    path = real.folder / "outputs" / "1.log"
    path.parent.mkdir()
    path.write_text("of an earlier life, and longer")
    assert real.run("echo new")[1] == b"new\n"


def test_an_output_is_never_written_through_a_link(real: RealStage) -> None:
    (real.folder / "outputs").mkdir()
    (real.folder / "outputs/1.log").symlink_to(real.folder / "precious")
    assert isinstance(real.prepare(job("echo")), NotStarted)
    assert not (real.folder / "precious").exists()


# --- with and without a shell --------------------------------------------------------------------


def test_a_command_with_shell_syntax_is_the_shells(real: RealStage) -> None:
    command = 'a="x  y"; echo "$a" $((1 + 1)) | tr a-z A-Z; exit 3'
    ended, output = real.run(command)
    assert (ended.outcome, output) == (Exited(3), b"X  Y 2\n")


def test_the_shell_is_the_one_that_the_crontab_says(real: RealStage) -> None:
    shell = real.folder / "shell"
    shell.write_text('#!/bin/sh\nprintf "[%s]" "$0" "$@"\n')
    shell.chmod(0o755)
    found = real.run(job("two  words", assigned=(("SHELL", str(shell)),)))[1]
    assert found.decode() == f"[{shell}][-c][two  words]"


SAME = [  # what happens must not tell whether there was a shell
    ("true", "nothing"),
    ("false", "an exit code"),
    ("env printf %s- a b  c", "blanks part words, however many"),
    ("ls  /nowhere ", "an error message, blanks at the end"),
    ("/bin/pwd", "the folder"),
    ("cat", "the input"),
    ("no-such-program", "127, in the shell's words"),
    ("./plain", "126: not executable"),
    ("/", "126: a folder"),
    ("./script a b", "a script without #! is the shell's to run"),
    ("script a b", "and one on the PATH too"),
    ("./missing-interpreter", "the shell's words for that"),
    ("env -0", "what is exported, apart from a shell's own"),
]

SHELLS_OWN = {b"_", b"SHLVL", b"OLDPWD"}


def without_shells_own(output: bytes) -> list[bytes]:
    parts = output.split(b"\0")
    return sorted(part for part in parts if part.partition(b"=")[0] not in SHELLS_OWN)


@pytest.fixture
def programs(real: RealStage) -> RealStage:
    for name, text, mode in (
        ("plain", "echo no", 0o600),
        ("script", 'echo "$0-$1-$2-$#"\nexit 7\n', 0o700),
        ("missing-interpreter", "#!/no/such/thing\n", 0o700),
        ("suicide", "#!/bin/sh\nkill -9 $$\n", 0o700),
    ):
        (real.folder / name).write_text(text)
        (real.folder / name).chmod(mode)
    return real


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
@pytest.mark.parametrize(("command", "why"), SAME)
def test_without_a_shell_the_same_happens(
    programs: RealStage, shell: str, command: str, why: str
) -> None:
    assigned = (("SHELL", shell), ("PATH", f"/usr/bin:/bin:{programs.folder}"))
    entry = job(command, assigned=assigned, stdin="in\n")
    launch = programs.prepare(entry)
    assert isinstance(launch, Launch)
    assert launch.direct is not None
    programs.spawner.discard(launch)
    outputs, outcomes = set(), set()
    for in_shell in (False, True):
        programs.number = 100
        ended, output = programs.run(entry, in_shell=in_shell)
        programs.output().unlink()  # its mark may just be taken away: nobody else opens it then
        outcomes.add(ended.outcome)
        outputs.add(tuple(without_shells_own(output)))
    assert (len(outcomes), len(outputs)) == (1, 1), (why, outcomes, outputs)


@pytest.mark.parametrize(
    ("command", "expected", "why"),
    [
        ("./suicide", Signalled(9), "nobody stands between"),
        ("exec ./suicide", Signalled(9), "nor here"),
        ("./suicide; exit $?", Exited(137), "a shell tells of a signal by an exit code"),
    ],
)
def test_a_signal_is_seen_as_one_unless_a_shell_stands_between(
    programs: RealStage, command: str, expected: Exited | Signalled, why: str
) -> None:
    assert programs.run(command)[0].outcome == expected, why


words = st.text("aZ09_@%+=:,./-", min_size=1, max_size=6)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(words, max_size=4), st.sampled_from([" ", "  "]))
def test_without_a_shell_the_same_words_arrive(
    real: RealStage, arguments: list[str], blank: str
) -> None:
    command = blank.join(("env", "printf", "[%s]", *arguments)).replace("[%s]", "%s,")
    launch = real.prepare(job(command))
    assert isinstance(launch, Launch)
    assert launch.direct is not None
    real.spawner.discard(launch)
    assert real.run(command)[1] == real.run(command, in_shell=True)[1]


# --- what can't be started -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "assigned", "expected"),
    [
        ("echo", ("SHELL", "/no/shell"), "its SHELL '/no/shell': No such file or directory"),
        ("echo", ("SHELL", "/"), "its SHELL '/': Permission denied"),
        ("echo", ("SHELL", ""), "its SHELL '': Permission denied"),
        ("echo", ("HOME", "/no/home"), "its HOME '/no/home': No such file or directory"),
        ("true", ("HOME", "/no/home"), "its HOME '/no/home': No such file or directory"),
        ("true", ("HOME", "/dev/null"), "its HOME '/dev/null': Not a directory"),
        ("true", ("HOME", ""), "its HOME '': No such file or directory"),
        ("true", ("HOME", "/\udcff"), r"its HOME '/\xff': No such file or directory"),
        ("echo a\0b", ("A", ""), "its command or environment: embedded null byte"),
        ("true", ("A", "a\0b"), "its command or environment: embedded null byte"),
        (": " + "x" * 3_000_000, ("A", ""), "its command or environment: Argument list too long"),
        ("true", ("A", "x" * 3_000_000), "its command or environment: Argument list too long"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_started_says_why(
    real: RealStage, command: str, assigned: tuple[str, str], expected: str
) -> None:
    assert real.refusal(job(command, assigned=(assigned,))) == expected


def test_no_process_for_want_of_descriptors_is_no_fault_of_the_shell(real: RealStage) -> None:
    launch = real.prepare(job("true"))
    assert isinstance(launch, Launch)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        result = real.spawner.start(launch)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert result == NotStarted("no new process: Too many open files")
    assert isinstance(result, NotStarted)
    assert result.by_system


def descriptors(real: RealStage) -> frozenset[str]:
    """What is open, after a moment: threads of tests before this one may still open files."""
    real.rest()
    return frozenset(path.name for path in Path("/dev/fd").iterdir())


@pytest.mark.parametrize("stdin", [None, "text"])
def test_what_is_prepared_leaves_descriptors_to_start_it_with(
    real: RealStage, stdin: str | None
) -> None:
    """Of a burst that is more than there are, nothing fails: the rest is prepared later."""
    real.start(real.prepare(job("true")))  # whatever is opened once is open
    eventually(lambda: len({descriptors(real) for _ in range(20)}) == 1)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/dev/fd").iterdir())
    hoard = [os.dup(0)]
    while hoard[-1] < highest:  # what is free stands above all that is not
        hoard.append(os.dup(0))
    free = hoard[-1] + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 8, limits[1]))
    try:
        some = [real.prepare(job("true", stdin=stdin)) for _ in range(12)]
        launches = [each for each in some if isinstance(each, Launch)]
        started = [real.spawner.start(each) for each in launches]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in hoard:
            os.close(descriptor)
    real.pids += [each for each in started if isinstance(each, int)]
    assert len(launches) == 5
    assert len(real.pids) == 6
    refused = next(each for each in some if isinstance(each, NotStarted))
    assert refused.why.endswith("Too many open files")
    assert refused.by_system


def test_input_that_cannot_be_stored_says_so(
    real: RealStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    assert real.refusal(job("cat", stdin="x")) == (
        "its standard input can't be stored: No such file or directory"
    )
