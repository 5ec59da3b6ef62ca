"""Commands that ask a daemon to do something: what it is asked, and what is said of its reply."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from standin import StandIn

from scheduler.journal.journal import Journal
from scheduler.protocol import Kill, Pause, Reload, Request, Resume, Retry, Trigger
from scheduler.run import State
from scheduler.status import Status
from scheduler.system.clock import RealClock
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Person


NOON = datetime(2027, 3, 28, 10, 0, tzinfo=UTC)  # in Berlin
KINDS: tuple[type[Request], ...] = (Trigger, Retry, Kill, Pause, Resume, Reload)
EVERY = (
    ("trigger", "backup"),
    ("retry", "7"),
    ("kill", "7"),
    ("pause", "backup"),
    ("resume", "backup"),
    ("reload",),
)


@pytest.fixture
def daemon(person: Person) -> Iterator[StandIn]:
    """Someone answers where the person's daemon would."""
    stand_in = StandIn()
    with stand_in.listening(person.home / "run" / "control.sock"):
        yield stand_in
    assert stand_in.warnings == []


@pytest.fixture
def this_morning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        RealClock, "now", lambda _: datetime(2027, 3, 28, 8, 0, 0, 250_000, tzinfo=UTC)
    )


def run(**members: object) -> dict[str, Any]:
    return {"run": 9, "job": "backup"} | members


@pytest.mark.parametrize(
    ("words", "request_", "reply", "said"),
    [
        (
            ("trigger", "backup"),
            Trigger("backup"),
            run(at="2027-03-28T10:00:00Z", state="running", reason=None),
            "Run 9 of backup is being started; see meridian logs 9",
        ),
        (
            ("trigger", "backup"),
            Trigger("backup"),
            run(at="2027-03-28T10:00:00Z", state="scheduled", reason="its pool is full"),
            "Run 9 of backup waits for its start (its pool is full); see meridian logs 9",
        ),
        (
            ("retry", "9"),
            Retry(9),
            run(attempt=2, state="running"),
            "Attempt 2 of run 9 of backup is being started; see meridian logs 9",
        ),
        (
            ("retry", "9"),
            Retry(9),
            run(state="scheduled"),
            "The next attempt of run 9 of backup waits for its start; see meridian logs 9",
        ),
        (("kill", "9"), Kill(9), run(state="running"), "Run 9 of backup is being ended"),
        (("kill", "9"), Kill(9), run(state="failed"), "Run 9 of backup has been ended"),
        (("kill", "9"), Kill(9), run(state="skipped"), "Run 9 of backup will not start"),
        (
            ("pause", "a", "b", "a"),
            Pause(("a", "b")),
            {"jobs": ["a", "b"], "until": None},
            "Paused until you resume them: a, b",
        ),
        (
            ("resume", "a", "b"),
            Resume(("a", "b")),
            {"jobs": ["a", "b"]},
            "Resumed: a, b",
        ),
        (
            ("reload",),
            Reload(),
            {"entries": 12, "zones": 3, "problems": 0, "kept": 0},
            "Read again: 12 entries in 3 zones",
        ),
    ],
)
def test_the_daemon_is_asked_and_what_it_did_is_said(
    person: Person,
    daemon: StandIn,
    words: tuple[str, ...],
    request_: Request,
    reply: dict[str, Any],
    said: str,
) -> None:
    daemon.replies[type(request_)] = reply
    result = person.types(*words)
    assert daemon.asked == [request_]
    assert (result.stdout, result.exit_code) == (f"{said}\n", 0)
    result = person.types(*words, "--json")
    assert json.loads(result.stdout) == {"ok": True} | reply
    assert (result.stdout.count("\n"), result.exit_code) == (1, 0)


def test_a_state_folder_of_its_own_is_named_in_the_advice(person: Person) -> None:
    stand_in = StandIn()
    stand_in.replies[Trigger] = run(state="running")
    folder = person.home / "my state"
    with stand_in.listening(folder / "control.sock"):
        result = person.types("trigger", "backup", "--state", str(folder))
    assert result.stdout.endswith(f"see meridian logs 9 --state '{folder}'\n")


@pytest.mark.parametrize("words", EVERY)
def test_what_the_daemon_refuses_is_passed_on(
    person: Person, daemon: StandIn, words: tuple[str, ...]
) -> None:
    refusal = Refused("unknown-job", "There is no job 'bakcup'; did you mean backup?")
    daemon.replies = dict.fromkeys(KINDS, refusal)
    result = person.types(*words)
    assert (result.stdout, result.exit_code) == ("", 1)
    assert result.stderr == f"{refusal.message}\n"
    result = person.types(*words, "--json")
    assert json.loads(result.stdout)["error"]["code"] == "unknown-job"
    assert (result.stderr, result.exit_code) == ("", 1)


@pytest.mark.parametrize("words", EVERY)
def test_without_a_daemon_nothing_is_done_and_that_is_said(
    person: Person, words: tuple[str, ...]
) -> None:
    result = person.types(*words)
    assert (result.stdout, result.stderr, result.exit_code) == ("", f"{person.nobody}\n", 1)
    result = person.types(*words, "--json")
    error = {"code": "no-daemon", "message": person.nobody}
    assert json.loads(result.stdout) == {"ok": False, "error": error}
    assert result.exit_code == 1


@pytest.mark.parametrize("words", EVERY)
def test_an_answer_that_makes_no_sense_is_no_success(
    person: Person, daemon: StandIn, words: tuple[str, ...]
) -> None:
    daemon.replies = {kind: {"run": "x"} for kind in KINDS}
    result = person.types(*words)
    assert result.exit_code == 1
    assert "that makes sense" in result.stderr
    result = person.types(*words, "--json")
    assert json.loads(result.stdout) == {"ok": True, "run": "x"}
    assert "that makes sense" in result.stderr
    assert result.exit_code == 1


def test_a_reload_with_problems_ends_with_one(person: Person, daemon: StandIn) -> None:
    daemon.replies[Reload] = {"entries": 1, "zones": 1, "problems": 2, "kept": 1}
    result = person.types("reload")
    assert result.stdout == (
        "Read again: 1 entry in 1 zone; 2 problems, which meridian check shows;"
        " 1 unreadable entry kept in the last good version\n"
    )
    assert result.exit_code == 1
    assert person.types("reload", "--json").exit_code == 1


# --- a pause's end -------------------------------------------------------------------------------


@pytest.mark.usefixtures("this_morning")
@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("12:00", "today, by the machine's clock"),
        ("2027-03-28 12:00", "a date and a time"),
        ("2027-03-28T10:00:00Z", "an offset"),
        ("15:30+05:30", "another, today"),
        ("2h", "so long from now"),
        ("sun 12:00", "a weekday, the next such time"),
    ],
)
def test_a_pause_ends_when_a_person_says(
    person: Person, daemon: StandIn, typed: str, why: str
) -> None:
    daemon.replies[Pause] = {"jobs": ["a"], "until": "2027-03-28T10:00:00Z"}
    result = person.types("pause", "a", "--until", typed, "--note", "disk is full")
    assert daemon.asked == [Pause(("a",), NOON, "disk is full")], why
    assert result.stdout == "Paused until Sun 2027-03-28 12:00 Europe/Berlin: a\n"


def test_a_pause_says_which_it_replaces(person: Person, daemon: StandIn) -> None:
    told = {"job": "a", "since": "2027-03-27T12:00:00Z", "until": None, "note": "disk is full"}
    ends = told | {"job": "b", "until": "2027-03-28T10:00:00Z", "note": ""}
    daemon.replies[Pause] = {"jobs": ["a", "b", "c"], "until": None, "replaced": [told, ends]}
    assert person.types("pause", "a", "b", "c").stdout == (
        "Paused until you resume them: a, b, c; this replaces the pause of a until you resume it"
        " (disk is full), of b until Sun 2027-03-28 12:00 Europe/Berlin\n"
    )


@pytest.mark.usefixtures("this_morning")
def test_a_pause_lasts_as_long_as_a_person_says(person: Person, daemon: StandIn) -> None:
    daemon.replies[Pause] = {"jobs": ["a"], "until": "2027-03-28T10:00:00Z"}
    person.types("pause", "a", "--for", "2h")
    assert daemon.asked == [Pause(("a",), NOON)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--for", "2"), "2s or 2d?"),
        (("--for", "soon"), "is not a duration"),
        (("--for", "0s"), "a second or longer"),
        (("--for", "2h", "--until", "18:00"), "two ends"),
        (("--until", "12:00 CET"), "write the offset from UTC"),
    ],
)
def test_a_pause_whose_end_is_not_clear_is_refused(
    person: Person, daemon: StandIn, words: tuple[str, ...], said: str
) -> None:
    result = person.types("pause", "a", *words)
    assert (result.exit_code, daemon.asked) == (2, [])
    assert said in result.stderr


@pytest.mark.usefixtures("this_morning")
@pytest.mark.parametrize("typed", ["now", "09:59", "2027-03-27", "2027-03-28 10:00:00"])
def test_a_pause_does_not_end_in_the_past(person: Person, daemon: StandIn, typed: str) -> None:
    result = person.types("pause", "a", "--until", typed)
    assert result.exit_code == 2
    assert "a pause ends in the future" in result.stderr
    assert daemon.asked == []


@pytest.mark.parametrize(
    "words",
    [
        ("trigger",),
        ("pause",),
        ("resume",),
        ("kill", "0"),
        ("retry", "0"),
        ("pause", "a", "--until", "yesterdayish"),
    ],
)
def test_wrong_usage_asks_nothing(person: Person, daemon: StandIn, words: tuple[str, ...]) -> None:
    assert person.types(*words).exit_code == 2
    assert daemon.asked == []


# --- a job in place of a run ---------------------------------------------------------------------


def has_run(person: Person, *states: tuple[str, State | None]) -> None:
    """Let jobs have had runs, one a minute: numbered from 1, open where there is no state."""
    person.state.mkdir(exist_ok=True)
    with closing(Journal.open(person.state / "journal.db")) as journal:
        for minute, (job, state) in enumerate(states):
            made = journal.claim(job, NOON + timedelta(minutes=minute), "Europe/Berlin")
            assert made is not None
            if state is State.RUNNING:
                assert journal.claim_attempt(made, 1, "outputs/x") is not None
            elif state is not None:
                journal.finish(made, state)


FAILED, DONE, RUNS, WAITS = State.FAILED, State.SUCCEEDED, State.RUNNING, None


CHOSEN = [
    # verb, the job's runs, the one that is meant; why
    ("kill", [DONE, RUNS], 2, "it runs"),
    ("kill", [FAILED, WAITS], 2, "it waits"),
    ("retry", [FAILED, DONE, FAILED], 3, "it has failed since the last success"),
    ("retry", [FAILED, WAITS], 2, "it waits: the one that failed is not asked for"),
]


@pytest.mark.parametrize(("verb", "runs", "number", "why"), CHOSEN)
def test_a_job_stands_for_its_one_candidate(
    person: Person, daemon: StandIn, verb: str, runs: list[State | None], number: int, why: str
) -> None:
    has_run(person, *(("backup", state) for state in runs), ("other", RUNS), ("other", FAILED))
    daemon.replies = dict.fromkeys(KINDS, run(state="running"))
    person.types(verb, "backup")
    assert daemon.asked == [Kill(number) if verb == "kill" else Retry(number)], why


REFUSED = [
    # verb, the job's runs, what is said; why
    ("kill", [DONE], "There is no run of backup to kill: none runs or waits", "it is over"),
    ("retry", [FAILED, DONE], "There is no run of backup to retry: none waits, and", "it is mended"),
    ("kill", [RUNS, WAITS], "backup has 2 runs to kill: 1 (running, Sun 2027-03-28 12:00 Europe/Berlin), 2 (scheduled, Sun 2027-03-28 12:01 Europe/Berlin); name one, as in meridian kill 2", "which?"),
    ("retry", [FAILED] * 7, "(failed, Sun 2027-03-28 12:06 Europe/Berlin) and 2 before; name one, as in meridian retry 7", "many"),
    ("retry", [RUNS], "There is no run of backup to retry", "it runs already"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "runs", "said", "why"), REFUSED)
def test_a_job_without_one_candidate_is_refused_with_those_there_are(
    person: Person, daemon: StandIn, verb: str, runs: list[State | None], said: str, why: str
) -> None:
    has_run(person, *(("backup", state) for state in runs))
    result = person.types(verb, "backup")
    assert (result.exit_code, daemon.asked) == (1, []), why
    assert said in result.stderr
    code = "several-runs" if "name one" in said else "no-such-run"
    assert json.loads(person.types(verb, "backup", "--json").stdout)["error"]["code"] == code


def test_a_job_that_nobody_knows_is_refused_with_the_nearest(
    person: Person, daemon: StandIn
) -> None:
    has_run(person, ("backup", DONE))
    for verb in ("kill", "retry"):
        result = person.types(verb, "bakcup")
        assert (result.exit_code, set(daemon.asked)) == (1, {Status()})  # what does it read?
        assert "There is no job 'bakcup'; did you mean backup?" in result.stderr


def test_a_note_that_is_too_long_is_refused_with_its_limit(person: Person, daemon: StandIn) -> None:
    result = person.types("pause", "a", "--note", "x" * 1001)
    assert result.exit_code == 1
    assert "note is a text of at most 1000 characters" in result.stderr
    assert daemon.asked == []


def test_a_reply_steers_no_terminal(person: Person, daemon: StandIn) -> None:
    daemon.replies[Trigger] = run(job="\x1b]0;x\x07", state="running")
    assert "\x1b" not in person.types("trigger", "x").stdout
    daemon.replies[Trigger] = Refused("unknown-job", "There is no job '\x1b[2J'")
    assert "\x1b" not in person.types("trigger", "x").stderr
