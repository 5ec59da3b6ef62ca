"""The real daemon behind the real socket: what commands do to it, and what becomes of the socket."""

from __future__ import annotations

import json
import shutil
import signal
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from log_lines import heard
from users import until

from scheduler.errors import NoAnswer, NoDaemon
from scheduler.status import Status
from scheduler.system import control_client
from scheduler.wire import Refused

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Person

pytestmark = pytest.mark.e2e

SLOW = "CRON_NAME=slow 0 0 1 1 * sleep 300\n"
BAD = "CRON_NAME=bad CRON_RETRIES=0 0 0 1 1 * exit 3\n"
SECRET = "CRON_NAME=secret 0 0 1 1 * sleep 300; mysql --password=hunter2\n"


def socket(person: Person) -> Path:
    return person.home / "run" / "control.sock"


@contextmanager
def daemon(person: Person, text: str, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon on this crontab; it is there when its crontabs are read."""
    words = ("run", person.file(text), "--log-format", "json", "--grace", "0", *more)
    process = person.starts(*words)
    try:
        heard(process, "crontabs")
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.communicate(timeout=60)


def shown(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(person.types("status", "--json").stdout)
    return found


def test_a_running_daemon_is_told_what_to_do(person: Person) -> None:
    with daemon(person, SLOW + BAD) as process:
        assert stat.S_IMODE(socket(person).stat().st_mode) == 0o600
        status = shown(person)
        assert (status["pid"], status["entries"]) == (process.pid, 2)
        assert status["state"] == str(person.state)
        assert person.types("status", "--check").stdout.startswith("OK: 2 entries")
        assert "Run 1 of bad" in person.types("trigger", "bad").stdout
        heard(process, "failed")
        verdict = person.types("status", "--check")
        assert (verdict.stdout, verdict.exit_code) == ("CRITICAL: 1 job failing: bad (run 1)\n", 2)
        assert "Run 2 of slow" in person.types("trigger", "slow").stdout
        heard(process, "started")
        assert [row["job"] for row in shown(person)["running"]] == ["slow"]
        assert "is being ended" in person.types("kill", "2").stdout
        heard(process, "failed")
        refused = person.types("trigger", "slwo")
        assert (refused.exit_code, "did you mean slow?" in refused.stderr) == (1, True)
        assert person.types("pause", "slow", "--note", "disk is full").exit_code == 0
        assert shown(person)["paused"][0]["note"] == "disk is full"
        assert person.types("resume", "slow").exit_code == 0
        (person.home / "a.crontab").write_text(SLOW)
        assert person.types("reload").stdout.startswith("Read again: 1 entry in 1 zone")
        # The job that fails is in no crontab any more.
        assert person.types("status", "--check").stdout.startswith("OK: 1 entry")
    assert not socket(person).exists()


def test_no_secret_of_a_command_is_in_a_status(person: Person) -> None:
    with daemon(person, SECRET) as process:
        person.types("trigger", "secret")
        heard(process, "started")
        for words in (("status",), ("status", "--json"), ("status", "--check")):
            result = person.types(*words)
            assert "hunter2" not in result.stdout + result.stderr


def test_a_killed_daemon_s_socket_is_no_daemon_and_the_next_one_replaces_it(
    person: Person,
) -> None:
    with daemon(person, SLOW) as process:
        process.kill()
        process.wait()
        assert socket(person).is_socket()
        with pytest.raises(NoDaemon):
            control_client.call(socket(person), Status())
    with daemon(person, SLOW) as process:
        assert shown(person)["pid"] == process.pid


def test_a_stopped_daemon_gives_no_answer(person: Person) -> None:
    with daemon(person, SLOW) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(NoAnswer, match="it may be stopped"):
            control_client.call(socket(person), Status(), 0.2)
        process.send_signal(signal.SIGCONT)
        assert not isinstance(control_client.call(socket(person), Status()), Refused)


def test_a_second_daemon_leaves_the_first_its_socket(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with daemon(person, SLOW) as first:
        monkeypatch.setenv("STATE_DIRECTORY", str(person.home / "other"))
        second = person.starts("run", person.file(BAD, "b.crontab"), "--log-format", "json")
        (warning,) = [line for line in heard(second, "crontabs") if line["message"] == "control"]
        second.terminate()
        second.communicate(timeout=60)
        assert f"another daemon (pid {first.pid}) listens at" in warning["text"]
        assert warning["level"] == "warning"
        assert shown(person)["pid"] == first.pid
    assert not socket(person).exists()


def test_a_daemon_that_can_t_have_its_socket_runs_its_jobs_all_the_same(person: Person) -> None:
    (person.home / "run").touch()  # where its folder should be
    (person.state / "control.sock").mkdir(parents=True)
    with daemon(person, "CRON_NAME=now * * * * * true\n") as process:
        heard(process, "started")  # the minute that has begun is owed
        assert process.poll() is None
        result = person.types("status")
        assert f"a daemon (pid {process.pid}) has the state folder" in result.stdout
        assert result.exit_code == 1


def test_a_daemon_that_can_t_have_its_socket_there_has_it_in_the_state_folder(
    person: Person,
) -> None:
    (person.home / "run").touch()
    with daemon(person, SLOW) as process:
        assert (person.state / "control.sock").is_socket()
        assert shown(person)["pid"] == process.pid
    assert not (person.state / "control.sock").exists()


def test_a_link_in_the_state_folder_leads_to_the_socket_while_the_daemon_runs(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with daemon(person, SLOW) as process:
        assert (person.state / "control.sock").readlink() == socket(person)
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(person.home / "elsewhere"))
        assert shown(person)["pid"] == process.pid
    assert not (person.state / "control.sock").is_symlink()


# --- a socket that is gone ------------------------------------------------------------------------


@contextmanager
def where_it_goes(person: Person, name: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A daemon with a socket of its own place, and that socket."""
    environ = {f"{each}_DIRECTORY": str(person.home / name / each) for each in ("STATE", "RUNTIME")}
    with pytest.MonkeyPatch.context() as patch:
        for variable, folder in environ.items():
            patch.setenv(variable, folder)
        with daemon(person, SLOW) as process:
            yield process, person.home / name / "RUNTIME/control.sock"


def test_a_socket_that_is_deleted_is_made_again_before_the_next_minute(person: Person) -> None:
    """As by a logout, which takes all of the runtime folder; and where that can't be made again."""
    with (
        where_it_goes(person, "file") as (_, file),
        where_it_goes(person, "folder") as (_, folder),
        where_it_goes(person, "for good") as (_, for_good),
        where_it_goes(person, "link") as (_, linked),
    ):
        file.unlink()
        link = linked.parent.parent / "STATE/control.sock"
        link.unlink()
        for path in (folder, for_good):
            shutil.rmtree(path.parent)
        for_good.parent.touch()
        contacts = [path.parent.parent / "STATE/control.sock" for path in (file, folder, for_good)]
        until(lambda: all(path.is_socket() for path in (file, folder, contacts[2], link)), 90)
        for contact in contacts:
            assert not isinstance(control_client.call(contact, Status()), Refused)
        assert contacts[0].readlink() == file
        assert contacts[1].readlink() == folder
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert not any(path.exists() for path in (file, folder, link, *contacts))
