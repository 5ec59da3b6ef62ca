"""Who tells of bob's jobs is bob: real senders of root's courier that become another user."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from notices import OUTPUT, notice, ping, wrote
from processes import children_reaped
from real_daemon import is_alive, until
from smtp_server import serving
from user_senders import EXTRA_GROUP, ROOTS_SECRET, BobsAlerts, bobs_alerts
from users import OWNER
from web_server import web_server

from scheduler.alerts import sendmail
from scheduler.alerts.courier import Lane, Unanswered
from scheduler.notice import Channel, Delivery, Kind, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.privileged


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    with children_reaped():
        yield


@pytest.fixture
def bob() -> Iterator[BobsAlerts]:
    with bobs_alerts() as one:
        yield one


def test_a_command_runs_as_its_user_with_just_their_groups_and_a_clean_environment(
    bob: BobsAlerts,
) -> None:
    assert bob.runs("id -u; id -g; id -G; umask").split() == [
        str(OWNER),
        str(OWNER),
        str(OWNER),
        str(EXTRA_GROUP),
        "0022",
    ]
    variables = dict(
        line.partition("=")[::2] for line in bob.runs("unset MERIDIAN_TEXT; env").splitlines()
    )
    assert variables["PATH"] == "/usr/bin:/bin"
    assert (variables["LOGNAME"], variables["USER"]) == ("bob", "bob")
    assert variables["MERIDIAN_USER"] == "bob"
    mine = {"PATH", "LOGNAME", "USER", "HOME", "SHELL", "PWD", "LANG", "SHLVL", "_", "OLDPWD"}
    others = {n for n in set(variables) - mine if not n.startswith(("MERIDIAN_", "LC_", "TZ"))}
    assert others == set()


@pytest.mark.parametrize(
    ("tries", "refused"),
    [
        ("cat {config}/mail.toml", "Permission denied"),  # root's account
        ("cat {config}/alerts/team", "Permission denied"),  # root's addresses
        ("ls {state}", "Permission denied"),  # everybody's outputs and the journal
        ("kill -0 {daemon}", "not permitted"),  # a signal to the daemon
        ("cat /proc/{daemon}/environ", "Permission denied"),  # what root's jobs inherit
        ("cat /proc/$PPID/environ", "Permission denied"),  # the sender was root's when it began
        ("cat /etc/shadow", "Permission denied"),
        ("ls /proc/self/fd", "0\n1\n2\n3"),  # no descriptor of root's; 3 is what ls looks at
        ("grep -c . {home}/../state/journal.db", "Permission denied"),
    ],
)
def test_a_command_of_a_user_gets_at_nothing_of_root(
    bob: BobsAlerts, tries: str, refused: str
) -> None:
    (bob.config / "alerts").mkdir(mode=0o700)
    for name in ("mail.toml", "alerts/team"):
        (bob.config / name).write_text(ROOTS_SECRET)
        (bob.config / name).chmod(0o600)
    said = bob.runs(
        tries.format(config=bob.config, state=bob.state, daemon=os.getpid(), home=bob.home)
    )
    assert refused in said
    assert ROOTS_SECRET not in said


def test_a_user_gets_the_outputs_that_are_told_of_and_no_others(bob: BobsAlerts) -> None:
    wrote(bob.state, b"disk full\n")
    other = bob.state / "outputs/backup/8.1.log"
    other.write_bytes(b"not told of")
    said = bob.runs('cat "$MERIDIAN_OUTPUT"; find "${MERIDIAN_OUTPUT%/outputs/*}" -type f; pwd')
    output, *files, folder = said.splitlines()
    assert output == "disk full"
    assert [file.endswith(OUTPUT) for file in files] == [True]
    assert files[0].startswith("/tmp/meridian-")
    until(lambda: not Path(files[0]).exists())  # it is gone with its sender
    assert folder in (str(bob.home), "/")


def test_the_holes_of_an_output_are_told_as_left_out(bob: BobsAlerts) -> None:
    wrote(bob.state, b"")
    with (bob.state / OUTPUT).open("r+b") as output:
        output.write(b"begin\n")
        output.seek(8 << 20)
        output.write(b"end\n")
    with serving() as (inbox, port):
        bob.writes(".config/meridian/mail.toml", account(port))
        assert bob.sends(notice("mail:ops@example.org", Kind.OUTPUT)) == [Result(1)]
    assert b"some output is not kept" in inbox.taken[0].data


def account(port: int) -> str:
    return f'host = "127.0.0.1"\nport = {port}\ntls = "none"\nfrom = "bob@example.org"\n'


# --- each channel --------------------------------------------------------------------------------


def test_mail_goes_by_the_users_own_account_and_never_by_roots(bob: BobsAlerts) -> None:
    wrote(bob.state, b"disk full\n")
    with serving() as (inbox, port):
        (bob.config / "mail.toml").write_text(account(port))
        (bob.config / "mail.toml").chmod(0o600)
        (result,) = bob.sends(notice("mail:ops@example.org", Kind.OUTPUT))
        if sendmail.find({}, sendmail.MAILERS) is None:
            own = f"{bob.home}/.config/meridian/mail.toml"
            why = f"there is no way to send mail: neither a sendmail program nor {own}"
            assert isinstance(result, Result)
            assert (result.error.partition(";")[0], result.permanent) == (why, True)
        assert inbox.taken == []
        bob.writes(".config/meridian/mail.toml", account(port))
        assert bob.sends(notice("mail:ops@example.org", Kind.OUTPUT)) == [Result(1)]
    (taken,) = inbox.taken
    assert (taken.sender, taken.recipients) == ("bob@example.org", ["ops@example.org"])
    assert b"disk full" in taken.data


def test_a_named_file_is_the_users_own(bob: BobsAlerts) -> None:
    roots, own = bob.folder / "roots", bob.home / "own"
    (bob.config / "alerts").mkdir()
    (bob.config / "alerts/team").write_text(f"| touch {roots}")
    (bob.config / "alerts/team").chmod(0o600)
    (refused,) = bob.sends(notice("@team"))
    assert isinstance(refused, Result)
    assert refused.error.startswith(f"{bob.home}/.config/meridian/alerts/team: there is no such")
    bob.writes(".config/meridian/alerts/team", f"| touch {own}\n| exit 3\n")
    (result,) = bob.sends(notice("@team"))
    assert isinstance(result, Result)
    assert result.error == "1 of 2 addresses: the command ended with exit 3"
    assert (own.stat().st_uid, roots.exists()) == (OWNER, False)
    own.unlink()
    bob.sends(notice("@team"))
    assert not own.exists()  # who has heard it is remembered in bob's own state folder
    assert (bob.home / ".local/state/meridian/told.json").stat().st_uid == OWNER


def test_an_address_is_asked_by_the_user(bob: BobsAlerts) -> None:
    """From an installation that the user can't read."""
    with web_server() as server:
        target = f"json://{server.url.partition('://')[2]}/KEY"
        assert bob.sends(notice(target)) == [Result(1)]
        assert [asked.path for asked in server.asked] == ["/KEY"]


def test_a_ping_has_the_end_of_the_output(bob: BobsAlerts) -> None:
    wrote(bob.state, b"disk full\n")
    with web_server() as server:
        assert bob.sends(ping(f"{server.url}/KEY", "fail")) == [Result(1)]
    assert server.asked[0].body.endswith(b"disk full")


def test_the_desktop_is_the_users(bob: BobsAlerts) -> None:
    (result,) = bob.sends(notice("desktop"))
    assert isinstance(result, Result)
    assert result.error  # bob has none here, whoever is at the screen


# --- who is no user, and who misbehaves ----------------------------------------------------------


def test_for_somebody_who_is_no_user_nothing_is_sent(bob: BobsAlerts) -> None:
    (answer,) = bob.sends(notice("|true"), user="ann")
    why = "no sender could be started: there is no user 'ann'"
    assert answer == Unanswered(1, why, is_unsure=False)


NONSENSE = "its sender said nonsense, and was killed"


def test_for_a_user_whose_account_has_expired_nothing_runs(bob: BobsAlerts) -> None:
    bob.account = replace(bob.account, expires=1)
    (answer,) = bob.sends(notice(f"|touch {bob.home}/told"))
    why = "no sender could be started: the account of 'bob' has expired"
    assert answer == Unanswered(1, why, is_unsure=False)
    assert not (bob.home / "told").exists()


TALKS = "import sys,time; sys.stdin.readline(); n = 0\nwhile True: print({0}, flush=True)"


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (TALKS.format("""'{"delivery": 99}'"""), f"{NONSENSE}: it answers more"),
        (TALKS.format("'x' * 70000, end=''"), f"{NONSENSE}: the line"),
        (TALKS.format("'', file=sys.stderr"), "its sender said nothing for 5 s, and was killed"),
        ("import time; time.sleep(1000)", "its sender said nothing for 5 s, and was killed"),
        ("import os; os.kill(os.getpid(), 19)", "its sender said nothing for 5 s, and was killed"),
        ("import os\nif os.fork() == 0: os.setsid(); import time; time.sleep(30)", "its sender"),
    ],
)
def test_whatever_a_user_makes_of_their_sender_it_is_over_soon(program: str, why: str) -> None:
    with bobs_alerts(program=(sys.executable, "-c", program), patience=5.0) as bob:
        (answer,) = bob.sends(notice("|true"))
        assert isinstance(answer, Unanswered)
        assert answer.why.startswith(why)


def test_a_user_has_so_long_for_all_and_then_it_is_the_next_ones_turn() -> None:
    with bobs_alerts(seconds=1.0) as bob:
        first, second, third = bob.sends(*(notice(f"|sleep 1.2; : {n}") for n in range(3)))
    why = "its sender, with what came before, took over 1 s"
    assert (first, second) == (Result(1), Unanswered(2, why))
    assert third == Unanswered(3, f"{why}, at another alert", is_unsure=False, is_tried=False)


def test_what_a_sender_answers_is_a_short_line_in_the_log() -> None:
    program = "import json; print(json.dumps({'delivery': 1, 'error': 'no\\x1b[31m\\n' * 999}))"
    with bobs_alerts(program=(sys.executable, "-c", program)) as bob:
        (answer,) = bob.sends(notice("|true"))
    assert isinstance(answer, Result)
    assert answer.error.isprintable()
    assert len(answer.error) <= 500


def test_one_that_is_ended_takes_its_folder_along(bob: BobsAlerts) -> None:
    wrote(bob.state, b"disk full\n")
    pids = bob.home / "pids"
    command = f"echo $$ $MERIDIAN_OUTPUT > {pids}.new; mv {pids}.new {pids}; exec sleep 1000"
    told = Delivery(1, f"|{command}", (replace(notice(f"|{command}"), user="bob"),))
    bob.courier.send(Lane(Channel.COMMAND, False, "bob"), [told])
    until(pids.exists)
    pid, output = pids.read_text().split()
    bob.courier.abandon()
    until(lambda: not is_alive(int(pid)))
    until(lambda: not Path(output).exists())
