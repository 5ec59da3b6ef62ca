"""The command `crontab` beside Debian's own, as other users have it: the same words, no more rights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from systemd_machine import booted

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from systemd_machine import SystemdMachine

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(900)]

DEBIANS, OURS = "/usr/bin/crontab", "/opt/face/crontab"
JOB = "0 0 1 1 * true\n"
SOCKET = "/run/meridian/control.sock"
EDITOR = """\
#!/bin/sh
sleep 1.1  # Debian's crontab takes a file of the same second for unchanged
case $EDIT in
  add) echo '0 3 * * * c' >>"$1" ;;
  wrong) echo '61 * * * * x' >>"$1" ;;
  fail) exit 3 ;;
esac
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[SystemdMachine]:
    """A machine of alice and bob, whose system daemon runs; Debian's cron is there, and does not."""
    with booted() as machine:
        for user in ("alice", "bob"):
            machine.add_user(user)
        machine.sh(f"mkdir /opt/face && ln -s $(command -v meridian) {OURS}")
        machine.write("/opt/editor", EDITOR, mode="755")
        machine.write("/tmp/good", JOB)
        machine.write("/tmp/wrong", "61 * * * * x\n")
        machine.write("/etc/meridian/service.env", "MERIDIAN_RUN=--system\n")
        machine.systemctl("start", "meridian")
        yield machine


@pytest.fixture(autouse=True)
def without_tables(machine: SystemdMachine) -> Iterator[None]:
    yield
    machine.sh("rm -f /var/spool/cron/crontabs/* /etc/cron.allow /etc/cron.deny /tmp/crontab.*")


def typed(
    machine: SystemdMachine, crontab: str, script: str, user: str = "alice"
) -> subprocess.CompletedProcess[str]:
    """What a script says in which `crontab` is one of the two."""
    folder = crontab.rpartition("/")[0]
    text = f"export PATH={folder}:$PATH EDITOR=/opt/editor; {script}"
    return machine.run("/bin/sh", "-c", text, user=user, check=False, timeout=60)


ALL, OUT, STATUS = "all", "out", "status"  # of what they say, what is the same

SAME = [
    # the same, by whom, script
    pytest.param(ALL, "alice", "crontab -l", id="no table to list"),
    pytest.param(ALL, "alice", "crontab -r", id="none to remove"),
    pytest.param(ALL, "alice", "crontab -r -i", id="none to ask about"),
    pytest.param(ALL, "root", "crontab -l", id="nor has root one"),
    pytest.param(ALL, "alice", "crontab /tmp/good && crontab -l", id="a file"),
    pytest.param(ALL, "alice", "crontab - </tmp/good && crontab -l", id="standard input"),
    pytest.param(ALL, "alice", "crontab </tmp/good && crontab -l", id="and without a word"),
    pytest.param(ALL, "alice", ": >empty; crontab empty && crontab -l", id="an empty table is one"),
    pytest.param(ALL, "alice", "crontab /tmp/good; crontab -l | crontab -; crontab -l", id="a circle"),
    pytest.param(ALL, "alice", "crontab /tmp/good; crontab -r; crontab -l", id="removed"),
    pytest.param(ALL, "alice", "crontab -n /tmp/good; crontab -l", id="checked alone"),
    pytest.param(OUT, "alice", "crontab /tmp/good; crontab /tmp/wrong; crontab -l", id="a wrong line"),
    pytest.param(OUT, "alice", "crontab -n /tmp/wrong", id="a wrong line, checked alone"),
    pytest.param(OUT, "alice", "crontab /nowhere", id="no file"),
    pytest.param(OUT, "alice", "crontab /tmp", id="a folder"),
    pytest.param(OUT, "alice", "crontab /etc/shadow", id="a file that alice may not read"),
    pytest.param(ALL, "alice", "crontab -u bob -l", id="another's, which is root's to name"),
    pytest.param(ALL, "alice", "crontab -u bob /tmp/good", id="to save"),
    pytest.param(ALL, "alice", "crontab -u alice -l", id="her own by name"),
    pytest.param(ALL, "root", "crontab -u bob /tmp/good && crontab -u bob -l", id="root saves bob's"),
    pytest.param(ALL, "root", "crontab -u nobody-at-all -l", id="no such user"),
    pytest.param(STATUS, "alice", "crontab -l -r", id="two things at once"),
    pytest.param(STATUS, "alice", "crontab -x", id="no such option"),
    pytest.param(STATUS, "alice", "crontab -u", id="an option without its value"),
    pytest.param(STATUS, "alice", "crontab -l /tmp/good", id="too much"),
    pytest.param(STATUS, "alice", "crontab /tmp/good; crontab -i </dev/null", id="nothing to ask about"),
    pytest.param(STATUS, "root", "crontab -u bob </tmp/good", id="nothing to do for bob"),
    pytest.param(STATUS, "alice", "crontab /tmp/good; echo y | crontab -ri; crontab -l", id="yes"),
    pytest.param(STATUS, "alice", "crontab /tmp/good; echo n | crontab -ri; crontab -l", id="no"),
    pytest.param(ALL, "alice", "EDIT=add crontab -e; crontab -l | tail -n 1", id="a first edit"),
    pytest.param(ALL, "alice", "crontab /tmp/good; EDIT=add crontab -e; crontab -l", id="an edit"),
    pytest.param(ALL, "alice", "crontab /tmp/good; crontab -e; crontab -l", id="no change"),
    pytest.param(OUT, "alice", "crontab /tmp/good; EDIT=fail crontab -e", id="an editor that fails"),
]  # fmt: skip


@pytest.mark.parametrize(("same", "user", "script"), SAME)
def test_scripts_hear_what_debians_crontab_says(
    machine: SystemdMachine, same: str, user: str, script: str
) -> None:
    theirs = typed(machine, DEBIANS, script, user)
    machine.sh("rm -f /var/spool/cron/crontabs/*")
    ours = typed(machine, OURS, script, user)
    assert ours.returncode == theirs.returncode, ours.stderr
    if same != STATUS:
        assert ours.stdout == theirs.stdout
    if same == ALL:
        assert ours.stderr == theirs.stderr


@pytest.mark.parametrize(
    ("file", "text", "may"),
    [
        pytest.param("cron.allow", "bob\n", False, id="not among the allowed"),
        pytest.param("cron.allow", "", False, id="nobody is allowed"),
        pytest.param("cron.allow", "alice\n", True, id="allowed"),
        pytest.param("cron.deny", "alice\n", False, id="denied"),
        pytest.param("cron.deny", "bob\n", True, id="not denied"),
    ],
)
@pytest.mark.parametrize("script", ["crontab -l", "crontab -r", "crontab /tmp/good", "crontab -e"])
def test_cron_allow_and_cron_deny_count_as_they_do_for_debians(
    machine: SystemdMachine, file: str, text: str, may: bool, script: str
) -> None:
    machine.write(f"/etc/{file}", text)
    theirs, ours = (typed(machine, each, script) for each in (DEBIANS, OURS))
    said = "You (alice) are not allowed to use this program (crontab)"
    assert [said in each.stderr for each in (theirs, ours)] == [not may, not may]
    assert may or theirs.returncode == ours.returncode == 1


def test_debians_crontab_goes_on_with_a_table_of_ours(machine: SystemdMachine) -> None:
    kinds = []
    text = "# my\n# own\n# words\n# are four\n" + JOB
    machine.write("/tmp/words", text)
    for one, other in ((DEBIANS, OURS), (OURS, DEBIANS)):
        typed(machine, one, "crontab /tmp/words")
        kinds.append(machine.sh("stat -c '%U %G %a %h' /var/spool/cron/crontabs/alice"))
        assert typed(machine, other, "crontab -l").stdout == text
        assert typed(machine, other, "EDIT=add crontab -e; crontab -l").stdout.startswith(text)
        assert typed(machine, other, "crontab -r; crontab -l").stderr == "no crontab for alice\n"
    assert kinds[0] == kinds[1] == "alice crontab 600 1\n"


def asked(machine: SystemdMachine, asker: str, **request: object) -> dict[str, Any]:
    """What the system daemon replies to a line of this user's."""
    program = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(sys.argv[2].encode() + b'\\n'); print(s.makefile().readline())"
    )
    line = json.dumps({"meridian": 1, **request})
    said = machine.run("python3", "-c", program, SOCKET, line, user=asker).stdout
    reply: dict[str, Any] = json.loads(said)
    return reply


def test_no_request_reaches_the_table_of_another(machine: SystemdMachine) -> None:
    typed(machine, OURS, "crontab /tmp/good", "bob")
    for more in ({"user": "bob"}, {"uid": 0}, {"user": "../bob"}):
        for verb in ("table", "remove-table"):
            assert asked(machine, "alice", do=verb, **more)["error"]["code"] == "unknown-member"
    assert asked(machine, "alice", do="table")["error"]["code"] == "no-table"
    assert asked(machine, "alice", do="remove-table")["error"]["code"] == "no-table"
    assert asked(machine, "bob", do="table")["text"].endswith(JOB)


ATTACKS = [
    pytest.param("LOGNAME=bob USER=bob HOME=/home/bob crontab -l", id="names in variables"),
    pytest.param("LOGNAME=root USER=root crontab -u root -l", id="root's name in them"),
    pytest.param("cat /var/spool/cron/crontabs/bob", id="the file itself"),
    pytest.param("ls /var/spool/cron/crontabs; ln -s bob /var/spool/cron/crontabs/alice; crontab -l", id="a link to it in the spool"),
    pytest.param("ln /var/spool/cron/crontabs/bob mine; cat mine", id="a hard link to it"),
    pytest.param("crontab /var/spool/cron/crontabs/bob; crontab -l", id="named as a new table"),
    pytest.param("ln -s /var/spool/cron/crontabs/bob mine; crontab mine; crontab -l", id="by a link"),
    pytest.param("EDITOR='cat /var/spool/cron/crontabs/bob #' crontab -e", id="shown by an editor"),
    pytest.param("crontab --state /var/lib/meridian -l; ls -R /var/lib/meridian", id="the state folder"),
]  # fmt: skip


@pytest.mark.parametrize("script", ATTACKS)
def test_nothing_that_alice_types_shows_the_table_of_bob(
    machine: SystemdMachine, script: str
) -> None:
    machine.write("/tmp/secret", "0 0 1 1 * of-bob\n", mode="600", owner="bob")
    typed(machine, OURS, "crontab /tmp/secret", "bob")
    done = typed(machine, OURS, f"cd $(mktemp -d); {script}")
    assert "of-bob" not in done.stdout + done.stderr
    assert typed(machine, OURS, "crontab -l", "bob").stdout == "0 0 1 1 * of-bob\n"


SPY = "import os\nprint(os.getresuid(), file=open('/tmp/spied', 'a'))\n"
SPYING = '#!/bin/sh\necho "($(id -ru), $(id -u), $(id -u))" >>/tmp/spied\n'


def test_what_variables_have_run_is_run_as_who_set_them(machine: SystemdMachine) -> None:
    """There is nobody else to run it: no file here is set-user-ID or set-group-ID."""
    machine.sh('test -z "$(find /opt /usr/local -perm /6000 -not -type l)"')
    machine.write("/tmp/evil/sitecustomize.py", SPY)
    machine.write("/tmp/worse/scheduler.py", SPY)
    for name in ("sh", "python3", "meridian", "editor"):
        machine.write(f"/tmp/evil/{name}", SPYING, mode="755")
    script = f"""
      export PATH=/tmp/evil:$PATH PYTHONPATH=/tmp/evil LD_PRELOAD=/tmp/evil/none.so
      export VISUAL=/tmp/evil/editor
      {OURS} /tmp/good; {OURS} -l; {OURS} -e; {OURS} -r
      PYTHONPATH=/tmp/worse {OURS} -l
    """
    typed(machine, OURS, script)
    uid = machine.run("id", "-u", "alice").stdout.strip()
    spied = machine.read("/tmp/spied").splitlines()
    assert len(spied) >= 5
    assert {*spied} == {f"({uid}, {uid}, {uid})"}


def test_a_table_is_in_force_before_the_next_minute(machine: SystemdMachine) -> None:
    machine.write("/tmp/minutely", "* * * * * echo $(id -un) $(date +\\%s) >>/tmp/ran\n")
    machine.wait_for(lambda: 2 <= int(machine.sh("date +%-S")) < 50, 20, why="not at its end")
    saved = int(machine.sh("date +%s"))
    typed(machine, OURS, "crontab /tmp/minutely")
    machine.wait_for(lambda: machine.sh("cat /tmp/ran || true"), 130, why="the job has run")
    user, at = machine.read("/tmp/ran").splitlines()[0].split()
    assert (user, int(at) // 60) == ("alice", saved // 60 + 1)
