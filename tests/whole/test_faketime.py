"""The real daemon through clock changes, jumps and restarts: each at speed, under libfaketime.

All scenarios run at once, a daemon each; every one of them is looked at from several sides.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from faketime import LIBRARY, MINUTE, Ran, Warped

from scheduler.schedule.tick import Jump, JumpKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(300)]

BEAT = "beat"  # the job that each crontab has, due every minute
LARGE = 300.0  # seconds: smaller jumps are the speed's and the machine's, not the scenario's


class Scenario(NamedTuple):
    """What happens on a day (UTC), a table of entries, and what the journal knows of jumps.

    A row of the table: schedule | instants that run, in the entry's zone | instants that do not,
    with the reason | why it is so. A zone stands on a line of its own.
    """

    day: str
    acts: str  # `start` a daemon, `run` it until then, `set` the clock, `kill`
    table: str
    jumps: tuple[Happened, ...] = ()


class Happened(NamedTuple):
    """A jump of time."""

    kind: JumpKind
    minutes: int
    verdict: Verdict


SPRING = """
Europe/Berlin                     # 01:59+01 -> 03:00+02
59 1 * * *      | 01:59+01                   | | the last minute before the skipped hour
30 2 * * *      | 03:00+02                   | | skipped, and made up for right after
0,30 2 * * *    | 03:00+02                   | | two skipped instants are one run
*/30 2 * * *    | 03:00+02                   | | the hole in Debian's rule, closed
0 3 * * *       | 03:00+02                   | | the first minute after the skipped hour
30 2,3 * * *    | 03:00+02 03:30+02          | | what is made up for does not stand in for 03:30
*/20 * * * *    | 01:40+01 03:00+02 03:20+02 | | every twenty minutes
15 * * * *      | 03:15+02                   | | hourly: nothing to make up for
15 0-23 * * *   | 03:15+02                   | | every hour, written out: likewise
Atlantic/Azores                   # 23:59-01 -> 01:00+00, at the same instant
59 23 * * *     | 27T23:59-01                | | the last minute before the skipped hour
@daily          | 01:00+00                   | | there is no midnight
30 0 * * *      | 01:00+00                   | | skipped, and made up for right after
0 1 * * *       | 01:00+00                   | | the first minute after the skipped hour
@hourly         | 01:00+00                   | | every sixty minutes
"""

AUTUMN = """
Europe/Berlin                     # 02:59+02 -> 02:00+01
55 1 * * *      | 01:55+02                                     | | before the repeated hour
0 2 * * *       | 02:00+02                                     | | repeated: the first time only
15 2 * * *      | 02:15+02                                     | | repeated: the first time only
*/30 2 * * *    | 02:00+02 02:30+02 02:00+01 02:30+01          | | the star follows elapsed time
0 */2 * * *     | 02:00+02 02:00+01                            | | every two hours follows it too
15 * * * *      | 02:15+02 02:15+01                            | | hourly: both hours
15 0-23 * * *   | 02:15+02                                     | | hours written out are the wall clock's
*/20 * * * *    | 02:00+02 02:20+02 02:40+02 02:00+01 02:20+01 | | every twenty minutes
Atlantic/Azores                   # 00:59+00 -> 00:00-01, at the same instant
55 23 * * *     | 30T23:55+00                                  | | before the repeated hour
@daily          | 00:00+00                                     | | midnight comes twice, the day once
20 0 * * *      | 00:20+00                                     | | repeated: the first time only
@hourly         | 00:00+00 00:00-01                            | | every sixty minutes
"""

BOTH = """
America/Sao_Paulo                 # spring: 23:59-03 -> 01:00-02
@daily          | 01:00-02                                     | | there is no midnight
30 0 * * *      | 01:00-02                                     | | skipped, and made up for right after
15 * * * *      | 01:15-02 02:15-02                            | | hourly: nothing to make up for
America/St_Johns                  # autumn, an hour and a half later: 01:59-02:30 -> 01:00-03:30
0 1 * * *       | 01:00-02:30                                  | | repeated: the first time only
10 1 * * *      | 01:10-02:30                                  | | repeated: the first time only
*/30 1 * * *    | 01:00-02:30 01:30-02:30 01:00-03:30          | | the star follows elapsed time
@hourly         | 01:00-02:30 01:00-03:30                      | | every sixty minutes
"""

FORWARD_40_MINUTES = """
UTC
10 12 * * *                          | 12:10             |                              | the newest missed instant is made up for
10,20,30 12 * * *                    | 12:30             | 12:10 to 12:20 superseded    | and the older ones are not
20,40 12 * * *                       | 12:40             | 12:20 superseded             | due in the present minute: nothing is made up for
41 12 * * *                          | 12:41             |                              | not missed
*/15 * * * *                         | 12:00 12:45       | 12:15 to 12:30 missed        | is due again soon
10 * * * *                           |                   | 12:10 missed                 | hourly as well
@every 16m                           | 12:44             | 12:12 to 12:28 missed        | an interval as well
CRON_CATCHUP=all 10,20,30 12 * * *   | 12:10 12:20 12:30 |                              | all of them
CRON_CATCHUP=all */15 * * * *        | 12:00 12:15 12:30 12:45 |                        | all of them
CRON_CATCHUP=none 11 12 * * *        |                   | 12:11 missed                 | as the entry says
CRON_CATCHUP=latest 9 * * * *        | 12:09             |                              | as the entry says
CRON_WITHIN=15m 12 12 * * *          |                   | 12:12 too late               | by 28 minutes
CRON_WITHIN=15m CRON_CATCHUP=all 10,20,30 12 * * * | 12:30 | 12:10 to 12:20 too late    | by 20 and more
Asia/Tokyo
10 21 * * *                          | 21:10+09          |                              | in every zone
"""

FORWARD_5_HOURS = """
UTC
10 12 * * *                          |                   | 12:10 too late               | by more than three hours
30 15 * * *                          | 15:30             |                              | by less
10 12,14,16 * * *                    | 16:10             | 12:10 to 14:10 superseded    | only the newest is made up for
0 12,17 * * *                        | 12:00 17:00       |                              | nothing was missed
0 13,17 * * *                        | 17:00             | 13:00 superseded             | due in the present minute: nothing is made up for
5 * * * *                            | 17:05             | 12:05 to 16:05 missed        | is due again soon
@every 96m                           |                   | 13:32 to 16:44 missed        | as an interval is
CRON_CATCHUP=all 11 12,14,16 * * *   | 14:11 16:11       | 12:11 too late               | all that are not too late
CRON_WITHIN=6h 11 12 * * *           | 12:11             |                              | as the entry says
CRON_CATCHUP=none 30 16 * * *        |                   | 16:30 missed                 | as the entry says
Asia/Kolkata
0 21 * * *                           | 21:00+05:30       |                              | in every zone
"""

BACK_30_MINUTES = """
UTC
30 12 * * *    | 12:30                         | | has run
25,41 12 * * * | 12:25 12:41                   | | has run; its next is not touched
*/10 * * * *   | 12:20 12:30 12:40             | | does not run again, star or not
@every 7m      | 12:25 12:32 12:39 12:46       | | counts on
CRON_CATCHUP=all 30 12 * * * | 12:30           | | nothing was missed
"""


FORWARD = Happened(JumpKind.FORWARD, 40, Verdict.ACCOUNTED)
DOWN = Happened(JumpKind.DOWN, 40, Verdict.ACCOUNTED)
BACK = Happened(JumpKind.BACK, -30, Verdict.WAITED_OUT)

SCENARIOS = {
    "spring": Scenario("2027-03-28", "start 00:38, run 01:36", SPRING),
    "spring, restarted": Scenario(
        "2027-03-28", "start 00:38, run 00:58, kill, start 01:02, run 01:36", SPRING
    ),
    "autumn": Scenario("2027-10-31", "start 30T23:52, run 01:36", AUTUMN),
    "autumn, restarted": Scenario(
        "2027-10-31", "start 30T23:52, run 01:10, kill, start 01:12, run 01:36", AUTUMN
    ),
    "both": Scenario("2018-11-04", "start 02:55, run 04:52", BOTH),
    "both, restarted": Scenario(
        "2018-11-04",
        "start 02:55, run 02:59, kill, start 03:01, run 04:29, kill, start 04:33, run 04:52",
        BOTH,
    ),
    "40 minutes forward": Scenario(
        "2027-06-15",
        "start 11:56, run 12:00, set 12:40, run 12:43, kill, start 12:43, run 12:46",
        FORWARD_40_MINUTES,
        (FORWARD,),
    ),
    "40 minutes down": Scenario(
        "2027-06-15",
        "start 11:56, run 12:00, kill, start 12:40, run 12:43, kill, start 12:43, run 12:46",
        FORWARD_40_MINUTES,
        (DOWN,),
    ),
    "5 hours forward": Scenario(
        "2027-06-15",
        "start 11:56, run 12:00, set 17:00, run 17:03, kill, start 17:03, run 17:06",
        FORWARD_5_HOURS,
        (FORWARD._replace(minutes=300),),
    ),
    "5 hours down": Scenario(
        "2027-06-15",
        "start 11:56, run 12:00, kill, start 17:00, run 17:03, kill, start 17:03, run 17:06",
        FORWARD_5_HOURS,
        (DOWN._replace(minutes=300),),
    ),
    "30 minutes back": Scenario(
        "2027-06-15", "start 12:18, run 12:40, set 12:10, run 12:46", BACK_30_MINUTES, (BACK,)
    ),
    "30 minutes back, restarted": Scenario(
        "2027-06-15",
        "start 12:18, run 12:40, set 12:10, run 12:25, kill, start 12:26, run 12:46",
        BACK_30_MINUTES,
        (BACK,),
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a scenario's table, and what must become of its instants."""

    job: str
    zone: str
    schedule: str
    runs: list[str]
    left_out: list[str]


def rows(scenario: Scenario) -> Iterator[Row]:
    zone = ""
    for number, line in enumerate(scenario.table.strip().splitlines()):
        cells = [cell.strip() for cell in line.partition("#")[0].split("|")]
        if len(cells) == 1:
            zone = cells[0]
            continue
        schedule, runs, left_out, _why = cells
        instants = [local(scenario, text).isoformat() for text in runs.split()]
        words = [f"{scenario.day} {left_out}"] if left_out else []
        yield Row(f"row{number}", zone, schedule, instants, words)


def crontab(scenario: Scenario) -> str:
    entries = [f"CRON_TZ={row.zone} CRON_NAME={row.job} {row.schedule}" for row in rows(scenario)]
    return "\n".join([f"CRON_NAME={BEAT} * * * * *", *entries])


def local(scenario: Scenario, text: str) -> datetime:
    """The instant of `03:00+02` on the scenario's day, of `27T23:59-01`, of `12:00` in UTC."""
    day, _, time = text.rpartition("T")
    at = datetime.fromisoformat(f"{scenario.day[:8]}{day or scenario.day[8:]}T{time}")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


# --- what happens -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a scenario."""

    scenario: Scenario
    ran: list[Ran]
    history: list[dict[str, Any]]
    jumps: list[Jump]
    trouble: list[dict[str, Any]]

    def beats(self) -> list[datetime]:
        return [ran.at for ran in self.ran if ran.job == BEAT]


def play(scenario: Scenario, folder: Path) -> Told:
    with closing(Warped(folder, crontab(scenario), at_once=not scenario.jumps)) as daemon:
        for act in scenario.acts.split(", "):
            does, _, at = act.partition(" ")
            match does:
                case "start":
                    daemon.start(local(scenario, at))
                case "run":
                    daemon.run(local(scenario, at))
                case "set":
                    daemon.set(local(scenario, at))
                case _:
                    daemon.kill()
        daemon.stop()
        trouble = daemon.said("bug", "journal", "problem", "adopted")
        return Told(scenario, daemon.ran(), daemon.history(), daemon.jumps(), trouble)


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Told]]]:
    assert LIBRARY is not None, "apt-get install libfaketime"
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        yield {
            name: pool.submit(play, scenario, tmp_path_factory.mktemp("faketime"))
            for name, scenario in SCENARIOS.items()
        }


@pytest.fixture
def told(plays: dict[str, Future[Told]], request: pytest.FixtureRequest) -> Told:
    return plays[request.param].result()


every_scenario = pytest.mark.parametrize("told", SCENARIOS, indirect=True)

# --- what must come of it -----------------------------------------------------------------------


@every_scenario
def test_the_instants_that_run_are_those_of_the_table(told: Told) -> None:
    expected = {f"{row.zone} {row.schedule}": row.runs for row in rows(told.scenario)}
    found: dict[str, list[str]] = {
        f"{row.zone} {row.schedule}": [
            datetime.fromisoformat(ran.scheduled).isoformat()
            for ran in sorted(told.ran, key=lambda ran: ran.at)
            if ran.job == row.job
        ]
        for row in rows(told.scenario)
    }
    assert found == expected


@every_scenario
def test_the_instants_that_do_not_are_in_the_journal_with_their_reason(told: Told) -> None:
    expected = {f"{row.zone} {row.schedule}": row.left_out for row in rows(told.scenario)}
    found = {f"{row.zone} {row.schedule}": left_out(told, row.job) for row in rows(told.scenario)}
    assert found == expected


def left_out(told: Told, job: str) -> list[str]:
    """Rows like `2027-06-15 12:10 to 12:20 superseded`."""
    words = []
    for row in told.history:
        if row["job"] == job and row["state"] == "skipped":
            until = f" to {row['until'][11:16]}" if "until" in row else ""
            words.append(f"{row['at'][:10]} {row['at'][11:16]}{until} {row['reason']}")
    return words


@every_scenario
def test_no_key_runs_twice(told: Told) -> None:
    keys = sorted((ran.job, ran.at) for ran in told.ran)
    assert [key for key, found in groupby(keys) if len(list(found)) > 1] == []
    assert {ran.attempt for ran in told.ran} == {1}


@every_scenario
def test_the_journal_has_a_row_for_each_start_and_no_other(told: Told) -> None:
    started = {
        (row["run"], row["job"], datetime.fromisoformat(row["at"]), len(row["attempts"]))
        for row in told.history
        if row["state"] != "skipped"
    }
    assert {(ran.run, ran.job, ran.at, ran.attempt) for ran in told.ran} == started
    assert {row["state"] for row in told.history} <= {"succeeded", "skipped"}


@every_scenario
def test_every_minute_is_run_or_accounted_for(told: Told) -> None:
    acts = told.scenario.acts.split(", ")
    first, last = (local(told.scenario, acts[n].partition(" ")[2]) for n in (0, -1))
    minutes = set(told.beats())
    for row in told.history:
        if row["job"] == BEAT and row["state"] == "skipped":
            assert row["reason"] == "missed"
            missed = set(between(row["at"], row.get("until", row["at"])))
            assert not missed & minutes
            minutes |= missed
    assert set(between(first.isoformat(), last.isoformat())) <= minutes
    assert len(minutes) == (max(minutes) - first) // MINUTE + 1


def between(first: str, last: str) -> Iterable[datetime]:
    start, end = (datetime.fromisoformat(at) for at in (first, last))
    return (start + n * MINUTE for n in range((end - start) // MINUTE + 1))


@every_scenario
def test_each_jump_is_in_the_journal_once(told: Told) -> None:
    """Its size give or take what the clock runs on before a busy machine comes round to it."""
    large = [jump for jump in told.jumps if abs(jump.seconds) >= LARGE]
    expected = told.scenario.jumps
    assert [(jump.kind, jump.verdict) for jump in large] == [
        (jump.kind, jump.verdict) for jump in expected
    ]
    for jump, meant in zip(large, expected, strict=True):
        assert abs(jump.seconds / 60 - meant.minutes) < 3


@every_scenario
def test_nothing_goes_wrong_in_the_daemon(told: Told) -> None:
    assert told.trouble == []
