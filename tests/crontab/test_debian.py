"""The crontabs that Debian's packages ship are read with the meaning that cron gives them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import debian_crontabs
import pytest
import writing

from scheduler.crontab import parser
from scheduler.crontab.unique_names import unique
from scheduler.entry import Crontab, Entry, Severity
from scheduler.schedule import zone_data

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.privileged

Files = dict[tuple[str, str], bytes]  # of (package, path)
Row = tuple[str, str, str, dict[str, str]]  # schedule, user, command, environment

SBIN_PATH = "/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin"
SYSSTAT_PATH = "/usr/lib/sysstat:/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
SHELL = {"SHELL": "/bin/sh", "PATH": SBIN_PATH}

# As the files of Debian 12 stand; none of them uses standard input. MULTIARCH is the machine's.
ENTRIES: Mapping[tuple[str, str], list[Row]] = {
    ("anacron", "/etc/cron.d/anacron"): [
        ("30 7-23 * * *", "root", "[ -x /etc/init.d/anacron ] && if [ ! -d /run/systemd/system ]; then /usr/sbin/invoke-rc.d anacron start >/dev/null; fi", SHELL),
    ],
    ("certbot", "/etc/cron.d/certbot"): [
        ("0 */12 * * *", "root", "test -x /usr/bin/certbot -a \\! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew --no-random-sleep-on-renew", SHELL),
    ],
    ("cron-daemon-common", "/etc/crontab"): [
        ("17 * * * *", "root", "cd / && run-parts --report /etc/cron.hourly", SHELL),
        ("25 6 * * *", "root", "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }", SHELL),
        ("47 6 * * 7", "root", "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; }", SHELL),
        ("52 6 1 * *", "root", "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.monthly; }", SHELL),
    ],
    ("e2fsprogs", "/etc/cron.d/e2scrub_all"): [
        ("30 3 * * 0", "root", "test -e /run/systemd/system || SERVICE_MODE=1 /usr/lib/MULTIARCH/e2fsprogs/e2scrub_all_cron", {}),
        ("10 3 * * *", "root", "test -e /run/systemd/system || SERVICE_MODE=1 /sbin/e2scrub_all -A -r", {}),
    ],
    ("logcheck", "/etc/cron.d/logcheck"): [
        ("@reboot", "logcheck", "if [ -x /usr/sbin/logcheck ]; then nice -n10 /usr/sbin/logcheck -R; fi", {"PATH": SBIN_PATH, "MAILTO": "root"}),
        ("2 * * * *", "logcheck", "if [ -x /usr/sbin/logcheck ]; then nice -n10 /usr/sbin/logcheck; fi", {"PATH": SBIN_PATH, "MAILTO": "root"}),
    ],
    ("mailman3", "/etc/cron.d/mailman3"): [
        ("0 8 * * *", "list", "if [ -x /usr/bin/mailman ]; then /usr/bin/mailman notify; fi", SHELL),
        ("0 12 * * *", "list", "if [ -x /usr/bin/mailman ]; then /usr/bin/mailman digests --periodic; fi", SHELL),
    ],
    ("mdadm", "/etc/cron.d/mdadm"): [
        ("57 0 * * 0", "root", "if [ -x /usr/share/mdadm/checkarray ] && [ $(date +%d) -le 7 ]; then /usr/share/mdadm/checkarray --cron --all --idle --quiet; fi", {}),
    ],
    ("munin-node", "/etc/cron.d/munin-node"): [
        ("*/5 * * * *", "root", "if [ -x /etc/munin/plugins/apt_all ]; then /etc/munin/plugins/apt_all update 7200 12 >/dev/null; elif [ -x /etc/munin/plugins/apt ]; then /etc/munin/plugins/apt update 7200 12 >/dev/null; fi", {"MAILTO": "root"}),
    ],
    ("ntpsec", "/etc/cron.d/ntpsec"): [
        ("25 6 * * *", "root", "if [ ! -d /run/systemd/system ] && [ -x /usr/libexec/ntpsec/rotate-stats ] ; then /usr/libexec/ntpsec/rotate-stats ; fi", {}),
    ],
    ("php-common", "/etc/cron.d/php"): [
        ("09,39 * * * *", "root", "[ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi", {}),
    ],
    ("sysstat", "/etc/cron.d/sysstat"): [
        ("5-55/10 * * * *", "root", "command -v debian-sa1 > /dev/null && debian-sa1 1 1", {"PATH": SYSSTAT_PATH}),
        ("59 23 * * *", "root", "command -v debian-sa1 > /dev/null && debian-sa1 60 2", {"PATH": SYSSTAT_PATH}),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("packages")
    debian_crontabs.fetch(debian_crontabs.PACKAGES, folder)
    return {(package, path): data for package, path, data in debian_crontabs.crontabs(folder)}


def read(path: str, data: bytes) -> Crontab:
    return parser.parse(data, file=path, zone=zone_data.named("Europe/Berlin"), system=True)


def row(entry: Entry) -> Row:
    command = re.sub(
        r"/usr/lib/[a-z0-9_]+-linux-gnu[a-z0-9]*/", "/usr/lib/MULTIARCH/", entry.command
    )
    return (entry.schedule_text, str(entry.user), command, dict(entry.environment))


def test_the_packages_ship_the_files_that_are_expected(files: Files) -> None:
    assert set(files) == set(ENTRIES)
    assert len({package for package, _ in files}) >= 8


@pytest.mark.parametrize("place", ENTRIES, ids=lambda place: place[0])
def test_every_entry_has_its_schedule_user_command_and_environment(
    place: tuple[str, str], files: Files
) -> None:
    table = read(place[1], files[place])
    assert [row(entry) for entry in table.entries] == ENTRIES[place]
    assert [entry.stdin for entry in table.entries] == [None] * len(table.entries)
    assert [problem for problem in table.problems if problem.severity is Severity.ERROR] == []


@pytest.mark.parametrize("place", ENTRIES, ids=lambda place: place[0])
def test_every_line_that_is_neither_comment_nor_assignment_is_an_entry(
    place: tuple[str, str], files: Files
) -> None:
    lines = files[place].decode().splitlines()
    other = re.compile(r"\s*(#.*|[A-Za-z_]+\s*=.*)?")
    jobs = [number for number, line in enumerate(lines, 1) if not other.fullmatch(line)]
    assert [entry.line for entry in read(place[1], files[place]).entries] == jobs


def test_no_warning_is_given(files: Files) -> None:
    assert [
        problem for (_, path), data in files.items() for problem in read(path, data).problems
    ] == []


def test_all_files_together_have_unique_names_and_are_written_as_they_were(
    files: Files,
) -> None:
    tables = unique([read(path, data) for (_, path), data in files.items()])
    names = [entry.job for table in tables for entry in table.entries]
    assert len(names) == len(set(names)) == sum(len(rows) for rows in ENTRIES.values())
    for table in tables:
        assert read(table.file, writing.write(table.entries).encode()).entries == table.entries
