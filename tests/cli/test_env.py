"""`env`: which variables a job finds, whose word that is, and how they differ from this shell's."""

from __future__ import annotations

import json
import pwd
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from commands import rows
from real_daemon import running, until
from standin import StandIn

from scheduler.cli import inherited
from scheduler.entry import Entry, Reboot
from scheduler.errors import MeridianError
from scheduler.process.job_environment import Inheritance
from scheduler.protocol import Inherited, InheritedEnvironment, Variable
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Person


@pytest.fixture
def daemon(person: Person) -> Iterator[StandIn]:
    """Someone answers where the person's daemon would."""
    stand_in = StandIn()
    stand_in.status = stand_in.status | {"files": [], "reads": None}
    with stand_in.listening(person.home / "run" / "control.sock"):
        yield stand_in


def inherits(**variables: str) -> InheritedEnvironment:
    own = {"HOME": "/home/ada", "SHELL": "/bin/sh", "LOGNAME": "ada", "USER": "ada"}
    pairs = (own | variables).items()
    return InheritedEnvironment(tuple(Variable(*each) for each in pairs), "0027")


def test_without_a_daemon_it_is_worked_out_from_this_shell_and_says_so(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLOUR", "red")
    monkeypatch.setenv("INVOCATION_ID", "the daemon's own")
    file = person.file("CRON_NAME=a SIZE=3 0 9 * * * true\nSIZE=4\nCRON_NAME=b 0 9 * * * true\n")
    shown = person.types("env", "b", file)
    lines = shown.stdout.splitlines()
    assert {"COLOUR=red", "SIZE=4", "CRON_JOB=b", "CRON_RUN=(of each attempt)"} <= set(lines)
    assert "INVOCATION_ID" not in shown.stdout
    assert lines == sorted(lines)
    assert "No daemon runs: worked out from this shell" in shown.stderr


def test_with_a_daemon_it_is_that_of_the_daemon(person: Person, daemon: StandIn) -> None:
    daemon.replies[Inherited] = inherits(PATH="/opt/bin")
    shown = person.types("env", "a", person.file("CRON_NAME=a 0 9 * * * cat%hello\n"), "--json")
    found = {row["name"]: (row["value"], row["from"]) for row in rows(shown)}
    assert found == {
        "CRON_ATTEMPT": (None, "run"),
        "CRON_JOB": ("a", "run"),
        "CRON_RUN": (None, "run"),
        "CRON_SCHEDULED": (None, "run"),
        "HOME": ("/home/ada", "daemon"),
        "LOGNAME": ("ada", "daemon"),
        "PATH": ("/opt/bin", "daemon"),
        "PWD": ("/home/ada", "daemon"),
        "SHELL": ("/bin/sh", "daemon"),
        "USER": ("ada", "daemon"),
    }
    told = person.types("env", "a", person.file("CRON_NAME=a 0 9 * * * cat%hello\n")).stderr
    what = "in /home/ada, by /bin/sh, standard input is the text behind %, umask 0027"
    assert f"As the running daemon has it for its jobs; {what}\n" in told


def test_a_daemon_that_can_t_tell_is_named(person: Person, daemon: StandIn) -> None:
    daemon.replies[Inherited] = Refused("unknown-verb", "there is nothing called that")
    shown = person.types("env", "a", person.file("CRON_NAME=a 0 9 * * * true\n"))
    said = "The running daemon does not say (there is nothing called that): worked out from this"
    assert said in shown.stderr


def test_the_difference_has_what_each_side_has_alone_and_what_is_another(
    person: Person, daemon: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {"STATE_DIRECTORY": str(person.state)})
    for name, value in {"HOME": "/home/ada", "ONLY_HERE": "1", "PATH": "/a:/b"}.items():
        monkeypatch.setitem(__import__("os").environ, name, value)
    daemon.replies[Inherited] = inherits(PATH="/a")
    monkeypatch.setitem(__import__("os").environ, "CONFIGURATION_DIRECTORY", str(person.home))
    monkeypatch.setitem(__import__("os").environ, "RUNTIME_DIRECTORY", str(person.home / "run"))
    file = person.file("CRON_NAME=a ONLY=x 0 9 * * * true\nZONE=b\nCRON_NAME=c @daily true\n")
    shown = person.types("env", "c", file, "--diff").stdout.splitlines()
    assert [line for line in shown if "DIRECTORY" not in line] == [
        "+ CRON_JOB=c",
        "+ LOGNAME=ada",
        "- ONLY_HERE=1",
        "- PATH=/a:/b",
        "+ PATH=/a",
        "+ PWD=/home/ada",
        "+ SHELL=/bin/sh",
        "+ USER=ada",
        "+ ZONE=b",
    ]
    found = [
        json.loads(line)
        for line in person.types("env", "c", file, "--diff", "--json").stdout.splitlines()
    ]
    assert {"name": "PATH", "change": "changed", "here": "/a:/b", "job": "/a"} in found
    assert {"name": "ONLY_HERE", "change": "missing", "here": "1", "job": None} in found
    assert {"name": "ZONE", "change": "added", "here": None, "job": "b"} in found


@pytest.mark.parametrize("options", [(), ("--json",), ("--diff",), ("--diff", "--json")])
def test_no_secret_value_is_shown_and_a_changed_one_is_told_all_the_same(
    person: Person, daemon: StandIn, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "marker-of-the-shell")
    daemon.replies[Inherited] = inherits(DB_PASSWORD="marker-of-the-daemon")
    text = "API_KEY=marker1\nDATABASE_URL=postgres://me:marker2@host/db\n"
    shown = person.types("env", "a", person.file(f"{text}CRON_NAME=a 0 9 * * * true\n"), *options)
    assert shown.exit_code == 0
    assert "marker" not in shown.output
    assert "DB_PASSWORD" in shown.stdout
    if options == ("--diff",):
        assert "- DB_PASSWORD=***\n+ DB_PASSWORD=***  (another value)\n" in shown.stdout


def test_a_value_of_several_lines_is_one_line(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASH_FUNC_f%%", "() {  true\n}")
    shown = person.types("env", "a", person.file("CRON_NAME=a 0 9 * * * true\n"))
    assert "BASH_FUNC_f%%=() {  true\\n}\n" in shown.stdout


def test_a_job_that_is_not_there_is_told_with_one_that_is(person: Person) -> None:
    file = person.file("CRON_NAME=backup 0 9 * * * true\n0 99 * * * x\n")
    for command in ("env", "exec"):
        shown = person.types(command, "bakcup", file)
        assert shown.exit_code == 1
        assert "There is no job 'bakcup' in these crontabs; did you mean backup?" in shown.stderr
        assert ":2:3: out-of-range" in shown.stderr, "it may be the one that is refused"


@pytest.mark.e2e
def test_the_environment_shown_is_the_one_a_job_of_the_running_daemon_finds(
    person: Person, tmp_path: Path
) -> None:
    """And it differs from this shell's: the daemon was started with a variable of its own."""
    found = tmp_path / "found"
    job = f"env -0 > {found}.new && mv {found}.new {found}"
    person.has(f"SIZE=3\nCRON_NAME=a {person.line('0 9 1 1 *', job)}")
    log = tmp_path / "log"
    with running("--log-format", "json", log=log, OF_THE_DAEMON="1") as process:
        until(lambda: process.said("crontabs"))
        assert person.types("trigger", "a").exit_code == 0
        until(found.exists)
        shown = person.types("env", "a", "--json")
    real: dict[str, Any] = dict(
        each.split("=", 1) for each in found.read_text().split("\0") if each
    )
    told = {row["name"]: row["value"] for row in rows(shown)}
    assert told["OF_THE_DAEMON"] == "1"
    of_the_shell = {"_", "SHLVL", "OLDPWD"}  # which the shell that runs the job sets
    assert told.keys() - of_the_shell == real.keys() - of_the_shell
    for name in told.keys() - of_the_shell:
        if told[name] not in (None, "***"):
            assert told[name] == real[name]


def test_a_broken_pipe_ends_it(person: Person) -> None:
    file = person.file("CRON_NAME=a 0 9 * * * true\n")
    words = f"{sys.executable} -m scheduler env a {file} 2>/dev/null | true"
    assert subprocess.run(("sh", "-c", words), check=False, timeout=30).returncode == 0


def test_another_user_s_job_finds_what_cron_gives_it_and_not_the_daemon_s(tmp_path: Path) -> None:
    own = Inheritance({"SECRET": "x"}, "/root", "me")
    other = pwd.getpwuid(1)
    entry = Entry("a", Reboot(), "@reboot", ZoneInfo("UTC"), "true", user=other.pw_name)
    found = inherited.of_user(entry, own)
    assert found is not None
    variables = dict(found.inherited)
    assert (variables["HOME"], variables["LOGNAME"]) == (other.pw_dir, other.pw_name)
    assert (variables["PATH"], "SECRET" in variables) == ("/usr/bin:/bin", False)
    assert inherited.of_user(replace(entry, user="me"), own) is own
    assert inherited.of_user(replace(entry, user=None), own) is own
    assert inherited.of_entry(entry, tmp_path).umask == 0o022
    with pytest.raises(MeridianError, match="there is no user nobody-has-this"):
        inherited.of_entry(replace(entry, user="nobody-has-this"), tmp_path)
