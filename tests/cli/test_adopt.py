"""What another cron runs here, shown; what an entry does differently; the words of the service."""

from __future__ import annotations

import os
from datetime import date
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from commands import rows
from typer.testing import CliRunner

from scheduler.cli import app
from scheduler.cli.adopt import crons_tables, differences, handover, service_options
from scheduler.cli.adopt.crons_units import CronUnit
from scheduler.cli.adopt.differences import CronFacts
from scheduler.cli.adopt.handover import HandoverRecord, NotTaken
from scheduler.crontab import anacrontab, parser
from scheduler.crontab.anacrontab import AnacronFacts
from scheduler.crontab.table_rules import TableRules

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.entry import Entry

BERLIN = ZoneInfo("Europe/Berlin")
FACTS = CronFacts("Europe/Berlin", 2027)
OF_CRON = TableRules(is_crons=True)


def cron(text: str) -> Entry:
    table = parser.parse(
        text.encode(), file="/etc/crontab", zone=BERLIN, system=True, rules=OF_CRON
    )
    (entry,) = table.entries
    return entry


def anacron(text: str) -> Entry:
    facts = AnacronFacts(lambda _: None, date(2027, 3, 1))
    table = anacrontab.parse(text.encode(), file="/etc/anacrontab", zone=BERLIN, facts=facts)
    (entry,) = table.entries
    return entry


def told(entry: Entry, facts: CronFacts = FACTS) -> dict[str, str]:
    return {each.topic: each.here for each in differences.of_entry(entry, facts)}


# --- what is different ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "topic", "here"),
    [
        pytest.param(
            "CRON_TZ=Asia/Tokyo\n0 5 * * * root x\n",
            "zone",
            "it goes by CRON_TZ, Asia/Tokyo",
            id="Debian's cron does not know the variable",
        ),
        pytest.param("0 5 * * * root x\n", "zone", "", id="the machine's zone is cron's, too"),
        pytest.param(
            "*/30 2 * * * root x\n",
            "clock change",
            "Sun 2027-03-28 02:00-03:00 is skipped: ",
            id="cron loses what starts with * in a gap",
        ),
        pytest.param("30 2 * * * root x\n", "clock change", "", id="cron makes up for a fixed one"),
        pytest.param("* * * * * root x\n", "clock change", "", id="nothing is skipped"),
        pytest.param("0 5 * * * root x\n", "retries", "", id="tried once, as under cron"),
        pytest.param(
            "CRON_RETRIES=2\n0 5 * * * root x\n",
            "retries",
            "a failure is tried again, up to 2 times (CRON_RETRIES)",
            id="unless it asks for more",
        ),
        pytest.param(
            "* * * * * root x\n",
            "overlap",
            "a run is left out while its last run goes on",
            id="the default",
        ),
        pytest.param("CRON_OVERLAP=allow\n* * * * * root x\n", "overlap", "", id="as cron does"),
        pytest.param(
            "CRON_OVERLAP=queue\n* * * * * root x\n",
            "overlap",
            "it waits while its last run goes on",
            id="queue",
        ),
        pytest.param(
            "CRON_OVERLAP=replace\n* * * * * root x\n",
            "overlap",
            "while its last run goes on, that one is ended first",
            id="replace",
        ),
        pytest.param(
            "0 5 * * * root x\n",
            "missed",
            "what was missed while the machine was off runs once, up to 3 h late",
            id="a fixed time is made up for",
        ),
        pytest.param("*/5 * * * * root x\n", "missed", "", id="an interval is not"),
        pytest.param(
            "CRON_CATCHUP=none\n0 5 * * * root x\n", "missed", "", id="nor where so asked"
        ),
        pytest.param("0 5 * * * root x\n", "mail", "", id="mailed, as under cron"),
    ],
)
def test_what_an_entry_of_cron_does_differently(text: str, topic: str, here: str) -> None:
    found = told(cron(text)).get(topic, "")
    assert found.startswith(here)
    assert bool(found) == bool(here)


def test_what_depends_on_the_machine() -> None:
    facts = CronFacts("Europe/Berlin", 2027, has_mail=False)
    entry = cron("* * * * * root x\n")
    assert told(entry, facts)["mail"] == "nobody is mailed; meridian logs shows what it wrote"


def test_what_a_job_of_anacron_does_differently() -> None:
    assert told(anacron("7 10 weekly x\n")) == {
        "time": "on its day it starts at 07:40",
        "missed": "what is overdue starts at once, one job after the other",
    }


def test_each_difference_says_what_the_other_does() -> None:
    entries = [cron("CRON_TZ=Asia/Tokyo\n*/30 2 * * * root x\n"), anacron("1 5 daily x\n")]
    found = differences.gathered(entries, FACTS)
    assert found
    assert all(each.here and each.there for each in found)


def test_one_difference_of_many_entries_is_told_once() -> None:
    entries = [cron("0 5 * * * root x\n"), cron("0 6 * * * root y\n")]
    found = differences.gathered(entries, FACTS)
    assert {each.topic: len(whose) for each, whose in found.items()} == {"overlap": 2, "missed": 2}


# --- scripts of run-parts ------------------------------------------------------------------------


def test_scripts_are_told_with_who_runs_them(tmp_path: Path) -> None:
    folder = tmp_path / "etc/cron.daily"
    folder.mkdir(parents=True)
    for name, mode in [
        ("logrotate", 0o755),
        ("dpkg", 0o755),
        ("a.dpkg-old", 0o755),
        ("not", 0o644),
    ]:
        (folder / name).touch(mode)
    daily = cron(
        "25 6 * * * root test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily\n"
    )
    hourly = cron("17 * * * * root cd / && run-parts --report /etc/cron.hourly\n")
    other = cron("17 * * * * root ls /etc/cron.daily.old /srv/etc/cron.daily\n")
    assert crons_tables.scripts([daily, hourly, other], tmp_path) == {
        "/etc/cron.daily": (("dpkg", "logrotate"), (daily,)),
        "/etc/cron.hourly": ((), (hourly,)),
    }


# --- the service's options -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "MERIDIAN_RUN=--system\n", id="no file yet"),
        pytest.param("A=b\n", "A=b\nMERIDIAN_RUN=--system\n", id="other variables stay"),
        pytest.param("A=b", "A=b\nMERIDIAN_RUN=--system\n", id="a missing end of line"),
        pytest.param(
            'MERIDIAN_RUN="--max-running 4"\nA=b\n',
            'A=b\nMERIDIAN_RUN="--max-running 4 --system"\n',
            id="other words stay",
        ),
        pytest.param(
            "# MERIDIAN_RUN=--x\n", "# MERIDIAN_RUN=--x\nMERIDIAN_RUN=--system\n", id="a comment"
        ),
        pytest.param("MERIDIAN_RUN=\n", "MERIDIAN_RUN=--system\n", id="an empty one"),
    ],
)
def test_the_service_is_given_its_option_and_has_it_taken_away(before: str, after: str) -> None:
    assert service_options.with_system(before) == after
    assert service_options.with_system(after) == after
    assert "--system" not in service_options.without_system(after)
    assert service_options.with_system(service_options.without_system(after)) == after


def test_without_an_option_nothing_is_changed() -> None:
    text = 'MERIDIAN_RUN="--max-running 4"\n'
    assert service_options.without_system(text) == text


# --- what was before -----------------------------------------------------------------------------


def test_how_it_was_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "ADOPTED_FILE", tmp_path / "adopted.json")
    assert HandoverRecord.read() is None
    units = (CronUnit("cron.service", is_active=True), CronUnit("anacron.timer", is_active=False))
    record = HandoverRecord(units, was_active=False)
    (tmp_path / "adopted.json").write_text(record.text())
    assert HandoverRecord.read() == record


@pytest.mark.parametrize("text", ["", "{", "[]", '{"crons": 5}', '{"crons": {}}'])
def test_a_record_that_is_none_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "ADOPTED_FILE", tmp_path / "adopted.json")
    (tmp_path / "adopted.json").write_text(text)
    with pytest.raises(NotTaken, match="can't be read"):
        HandoverRecord.read()


# --- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--take", "--give-back"], "two ways: give one", id="both ways"),
        pytest.param(["--take", "--json"], "--json is for what is shown", id="steps as rows"),
    ],
)
def test_wrong_usage(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["adopt", *words])
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("word", "said"),
    [
        pytest.param("--take", "only root can stop cron", id="stops it"),
        pytest.param("--give-back", "only root can start cron again", id="starts it"),
    ],
)
def test_only_root_takes_over(word: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    result = CliRunner().invoke(app, ["adopt", word])
    assert result.exit_code == 1
    assert f"{said}: sudo meridian adopt {word}" in " ".join(result.stderr.split())


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another root of the machine, for what is shown."""
    load = partial(crons_tables.load, root=tmp_path)
    monkeypatch.setattr(crons_tables, "load", load)
    for name in ("facts", "plain_doubts", "hides_users"):
        own = partial(getattr(crons_tables, name), root=tmp_path)
        monkeypatch.setattr(crons_tables, name, own)
    monkeypatch.setattr(crons_tables, "scripts", partial(crons_tables.scripts, root=tmp_path))
    return tmp_path


def test_a_machine_without_tables_is_told_as_one(root: Path) -> None:  # noqa: ARG001 (empty)
    result = CliRunner().invoke(app, ["adopt"])
    assert result.exit_code == 0
    assert "cron and anacron have no tables here." in result.stdout


@pytest.mark.privileged  # tables of root
def test_all_tables_are_shown_with_their_differences(root: Path) -> None:
    for name, text in TABLES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
    (root / "etc/cron.daily").mkdir()
    (root / "etc/cron.daily/logrotate").touch(0o755)
    result = CliRunner().invoke(app, ["adopt"])
    assert result.exit_code == 0, result.output
    for words in SHOWN:
        assert words in result.stdout
    found = rows(CliRunner().invoke(app, ["adopt", "--json"]))
    assert [each["job"] for each in found] == ["hourly", "cron.daily", "world", "root.mine"]
    assert found[1]["run_parts"] == {"/etc/cron.daily": ["logrotate"]}
    assert {each["topic"] for each in found[2]["differences"]} >= {"zone", "overlap", "missed"}


@pytest.mark.privileged  # tables of root
def test_a_line_that_would_not_run_is_told(root: Path) -> None:
    (root / "etc").mkdir()
    (root / "etc/crontab").write_text("0 25 * * * root x\n")
    (root / "etc/crontab").chmod(0o600)
    result = CliRunner().invoke(app, ["adopt"])
    assert result.exit_code == 1
    assert "/etc/crontab:1:3: " in result.stderr


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which way the tables went, on a machine of systemd's without a daemon."""
    went: list[str] = []
    monkeypatch.setattr("scheduler.cli.commands.adopt.crons_units.has_systemd", lambda: True)
    monkeypatch.setattr("scheduler.cli.commands.adopt._check_running", lambda: None)
    monkeypatch.setattr(handover, "is_taken", lambda: True)
    for way in ("take", "give_back"):
        monkeypatch.setattr(handover, way, lambda *_, way=way, **__: went.append(way))
    return went


PLAIN = [
    ("var/spool/cron/crontabs/root", "@every 1m b\n", "1:1: cron-refuses", "a nickname of ours"),
    ("var/spool/cron/crontabs/root", "CRON_NICE=\n* * * * * c\n", "1:1: cron-refuses", "no value"),
    ("etc/cron.d/x", "CRON_NAME=z * * * * * root c\n", "1:1: cron-otherwise", "settings in front"),
    ("etc/cron.d/x", "* * * * * root c", "1:1: cron-refuses", "no newline at the end"),
    ("etc/cron.d/x", "* * * * * nobody-of-us c\n", "1:11: cron-refuses", "an unknown user"),
]


@pytest.mark.privileged  # tables of root
@pytest.mark.parametrize(
    ("name", "text", "said"), [pytest.param(*row[:3], id=row[3]) for row in PLAIN]
)
def test_tables_that_cron_would_not_run_are_not_given_back_without_a_word(
    root: Path, changed: list[str], name: str, text: str, said: str
) -> None:
    write(root, name, text)
    result = CliRunner().invoke(app, ["adopt", "--give-back"])
    assert result.exit_code == 1
    assert f"/{name}:{said} Debian's cron " in result.stderr
    assert "nothing is changed: 1 line would be refused" in " ".join(result.stderr.split())
    assert not changed
    result = CliRunner().invoke(app, ["adopt", "--give-back", "--anyway"])
    assert result.exit_code == 0, result.output
    assert f"/{name}:{said} Debian's cron " in result.stderr
    assert changed == ["give_back"]


@pytest.mark.privileged  # tables of root
def test_anacrons_table_is_given_back_as_it_is(root: Path, changed: list[str]) -> None:
    write(root, "etc/anacrontab", "START_HOURS_RANGE=\n7 10 weekly x\n")
    result = CliRunner().invoke(app, ["adopt", "--give-back"])
    assert result.exit_code == 0, result.output
    assert changed == ["give_back"]


@pytest.mark.privileged  # tables of root
def test_a_table_that_is_refused_whole_is_a_problem(
    root: Path, changed: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    of_another = tmp_path_factory.mktemp("another") / "table"
    of_another.write_text("* * * * * root c\n")
    os.chown(of_another, 65534, -1)
    (root / "etc/cron.d").mkdir(parents=True)
    (root / "etc/cron.d/linked").symlink_to(of_another)
    result = CliRunner().invoke(app, ["adopt"])
    assert result.exit_code == 1
    assert "/etc/cron.d/linked: not read" in result.stdout
    assert "/etc/cron.d/linked: " in result.stderr
    result = CliRunner().invoke(app, ["adopt", "--take"])
    assert result.exit_code == 1
    assert "nothing is changed: 1 table of cron's would not run here" in result.stderr
    assert not changed
    assert CliRunner().invoke(app, ["adopt", "--take", "--anyway"]).exit_code == 0
    assert changed == ["take"]


@pytest.mark.privileged  # tables of root
def test_a_table_that_cron_ignores_is_told_to_run_here(root: Path) -> None:
    write(root, "etc/cron.d/open", "* * * * * root c")
    result = CliRunner().invoke(app, ["adopt"])
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())
    assert "table, of c-" in shown
    assert "there: line 1: Debian's cron throws the whole table away: the last line has no" in shown


def test_who_may_not_see_the_users_tables_is_told_so(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "var/spool/cron/crontabs").mkdir(parents=True)
    assert "only root sees" not in CliRunner().invoke(app, ["adopt"]).stderr
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "only root sees: sudo meridian adopt" in CliRunner().invoke(app, ["adopt"]).stderr


TABLES = {
    "etc/crontab": "CRON_NAME=hourly\n17 * * * * root run-parts /etc/cron.hourly\n",
    "etc/cron.d/zones": "CRON_TZ=Pacific/Apia\nCRON_NAME=world\n0 5 * * * root x\n",
    "etc/cron.d/daily": "CRON_NAME=cron.daily\n5 7 * * * root run-parts --report /etc/cron.daily\n",
    "var/spool/cron/crontabs/root": "CRON_NAME=mine\n0 5 * * * x\n",
}
SHOWN = (
    "/etc/crontab: 1 job",
    "/etc/cron.daily, run by cron.daily: logrotate",
    "zone, of world",
    "here:  it goes by CRON_TZ, Pacific/Apia",
)
