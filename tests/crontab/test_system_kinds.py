"""The kinds of lines that system tables in the wild have: users, variables, quoting. All load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.crontab import parser
from scheduler.crontab.table_rules import TableRules
from scheduler.entry import Severity
from scheduler.schedule.zone_data import UTC_ZONE

if TYPE_CHECKING:
    from scheduler.entry import Crontab

CRONS = TableRules(is_roots=True, is_crons=True)


def read(text: str) -> Crontab:
    table = parser.parse(text.encode(), file="t", zone=UTC_ZONE, system=True, rules=CRONS)
    errors = [each for each in table.problems if each.severity is Severity.ERROR]
    assert errors == []
    return table


LINES = [
    # --- users
    ("*/5 * * * * www-data php -f cron.php", "www-data", "php -f cron.php", "a hyphen"),
    ("0 1 * * * first.last x", "first.last", "x", "a dot, as in a directory"),
    ("0 1 * * * svc_backup$ x", "svc_backup$", "x", "a machine's account of Samba"),
    ("0 1 * * * CORP\\svc x", "CORP\\svc", "x", "a domain's, by winbind"),
    ("0 1 * * * svc@corp.example x", "svc@corp.example", "x", "a domain's, by SSSD"),
    ("0 1 * * * 1000 x", "1000", "x", "whoever is called so"),
    ("0 1 * * * Debian-exim x", "Debian-exim", "x", "upper case"),
    ("0 1 * * * _apt x", "_apt", "x", "an underscore in front"),
    ("0 1 * * * nobody :", "nobody", ":", "the shortest command"),
    ("0 1 * * * root root x", "root", "root x", "a command that is called like a user"),
    # --- blanks
    ("17 *\t* * *\troot    cd / && run-parts --report d", "root", "cd / && run-parts --report d", "tabs"),
    ("  0 1 * * *   root x", "root", "x", "blanks in front"),
    ("0 1 * * * root x   ", "root", "x   ", "blanks behind: the shell's"),
    ("0 1 * * * root\tx\ty", "root", "x\ty", "a tab in a command"),
    # --- schedules
    ("@daily root x", "root", "x", "a nickname"),
    ("@reboot root sleep 60 && x", "root", "sleep 60 && x", "at the boot"),
    ("@midnight backup x", "backup", "x", "another word for daily"),
    ("0 1 * * sun root x", "root", "x", "the name of a day"),
    ("0 1 * jan-mar,DEC Mon-Fri root x", "root", "x", "ranges and lists of names"),
    ("0 1 * * 7 root x", "root", "x", "Sunday as 7"),
    ("-*/15 * * * * root x", "root", "x", "SUSE's, which asks the log for silence"),
    ("0-59/5 9-17 1,15 * * root x", "root", "x", "steps in a range"),
    # --- quoting, and what else a shell reads
    ("0 1 * * * root echo \"a 'b' c\" | tee /dev/null", "root", "echo \"a 'b' c\" | tee /dev/null", "quotes"),
    ("0 1 * * * root [ -x /bin/x ] && x >/dev/null 2>&1", "root", "[ -x /bin/x ] && x >/dev/null 2>&1", "a test in front"),
    ("0 1 * * * root if [ -d /run/systemd/system ]; then :; fi", "root", "if [ -d /run/systemd/system ]; then :; fi", "an if"),
    ("0 1 * * * root cd /srv && (a; b) # c", "root", "cd /srv && (a; b) # c", "the shell's comment"),
    ("0 1 * * * root A=1 B='2 3' x", "root", "A=1 B='2 3' x", "variables of the command"),
    ("0 1 * * * root flock -n /run/x.lock x || true", "root", "flock -n /run/x.lock x || true", "a lock"),
    ("0 1 8-14 * * root test $(date +\\%u) -eq 7 && x", "root", "test $(date +%u) -eq 7 && x", "an escaped %"),
    ("0 1 * * * root x `date +\\%F` \\\\ \\n", "root", "x `date +%F` \\\\ \\n", "other backslashes are the shell's"),
    ("0 1 * * * root sleep $((RANDOM \\% 60)); x", "root", "sleep $((RANDOM % 60)); x", "a remainder"),
    ("0 1 * * * root echo 'ünï'", "root", "echo 'ünï'", "letters beyond ASCII"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "user", "command", "reason"), LINES, ids=[x[3] for x in LINES])
def test_a_line_is_read_as_cron_reads_it(line: str, user: str, command: str, reason: str) -> None:
    (entry,) = read(line + "\n").entries
    assert (entry.user, entry.command, entry.stdin) == (user, command, None), reason
    assert entry.settings.retry.retries == 0


def test_what_follows_a_percent_is_the_commands_input() -> None:
    (entry,) = read("0 1 * * * mail mail -s hi root%one%two\n").entries
    assert (entry.user, entry.command, entry.stdin) == ("mail", "mail -s hi root", "one\ntwo\n")


VARIABLES = [
    ("SHELL=/bin/bash", {"SHELL": "/bin/bash"}, "as in every /etc/crontab"),
    ("PATH=/sbin:/bin:$PATH", {"PATH": "/sbin:/bin:$PATH"}, "nothing is expanded"),
    ('MAILTO=""', {"MAILTO": ""}, "nobody"),
    ("MAILTO=a@example.com,b@example.com", {"MAILTO": "a@example.com,b@example.com"}, "two"),
    ("A = b c", {"A": "b c"}, "blanks around ="),
    ("A='b  c'", {"A": "b  c"}, "single quotes"),
    ('A="it\'s"', {"A": "it's"}, "one kind in the other"),
    ('"A" = "b"', {"A": "b"}, "a name in quotes"),
    ("A=b # c", {"A": "b # c"}, "no comment ends a value"),
    ("A=", {"A": ""}, "empty"),
    ("HOME=/", {"HOME": "/"}, "another home"),
    ("LC_ALL=C.UTF-8", {"LC_ALL": "C.UTF-8"}, "a locale"),
    ("LD_LIBRARY_PATH=/opt/x/lib", {"LD_LIBRARY_PATH": "/opt/x/lib"}, "the job's alone"),
    ("http_proxy=http://proxy:3128/", {"http_proxy": "http://proxy:3128/"}, "lower case"),
    ("LOGNAME=alice", {}, "cron sets it: a warning"),
]


@pytest.mark.parametrize(("line", "found", "reason"), VARIABLES, ids=[x[2] for x in VARIABLES])
def test_a_variable_is_read_as_cron_reads_it(line: str, found: dict[str, str], reason: str) -> None:
    (entry,) = read(f"{line}\n0 1 * * * root x\n").entries
    assert dict(entry.environment) == found, reason


TEXTS = [
    ("# m h dom mon dow user command\n\n   # indented\n0 1 * * * root x\n#\n", 1, "comments"),
    ("#Ansible: nightly\n0 1 * * * deploy x\n", 1, "what a tool writes above a line"),
    ("0 1 * * * root x", 1, "no newline at the end"),
    ("MAILTO=a\n0 1 * * * root x\nMAILTO=b\n0 2 * * * root y\n", 2, "a variable set again"),
    ("# nothing but comments\n", 0, "a table that a package left empty"),
    ("", 0, "an empty one"),
    ("0 1 * * * root x\n0 1 * * * root x\n", 2, "the same line twice"),
    ("CRON_TZ=Asia/Tokyo\n0 1 * * * root x\n", 1, "cronie's zone"),
    ("RANDOM_DELAY=30\n0 1 * * * root x\n", 1, "cronie's delay"),
]


@pytest.mark.parametrize(("text", "entries", "reason"), TEXTS, ids=[x[2] for x in TEXTS])
def test_a_table_is_read_whole(text: str, entries: int, reason: str) -> None:
    assert len(read(text).entries) == entries, reason
