"""What a user may ask of a system daemon: about their own, as if there were nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fakes import Act
from peers import ALICE, BOB, NAMELESS, ROOT
from world import Asked, line

from scheduler.daemon import rights
from scheduler.entry import Entry, Reboot
from scheduler.past import History, Output
from scheduler.protocol import (
    VERBS,
    Inherited,
    Kill,
    Pause,
    Reload,
    Resume,
    Retry,
    Trigger,
)
from scheduler.run import Exited, Run
from scheduler.schedule.zone_data import UTC_ZONE
from scheduler.status import Status
from scheduler.wire import Refused

if TYPE_CHECKING:
    from scheduler.peer import Peer
    from scheduler.protocol import Request

NOON = "0 12 * * *"


def entry(job: str, user: str | None) -> Entry:
    return Entry(job, Reboot(), "@reboot", UTC_ZONE, "true", user=user)


ENTRIES = {
    each.job: each
    for each in (
        *(entry("alice.backup", "alice"), entry("bob.backup", "bob"), entry("daily", None)),
        *(entry("alice.lent", "bob"), entry("alice.roots", "root")),
    )
}
RUNS = {
    1: Run(1, "alice.backup", None, user="alice"),  # type: ignore[arg-type]  # no rule asks when
    2: Run(2, "bob.backup", None, user="bob"),  # type: ignore[arg-type]
    3: Run(3, "daily", None),  # type: ignore[arg-type]
    4: Run(4, "alice.lent", None, user="alice"),  # type: ignore[arg-type]
    5: Run(5, "alice.backup", None, user="bob"),  # type: ignore[arg-type]
    6: Run(6, "alice.gone", None, user="alice"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize(
    ("peer", "request_", "code", "why"),
    [
        (ALICE, Status(), None, "what it says is hers alone"),
        (ALICE, Trigger("alice.backup"), None, "her own job"),
        (ALICE, Trigger("bob.backup"), "no-such-job", "another's job"),
        (ALICE, Trigger("daily"), "no-such-job", "root's job"),
        (ALICE, Trigger("nothing"), "no-such-job", "nobody's: it looks like another's"),
        (ALICE, Trigger("alice.lent"), "no-such-job", "her name stands on it, but it runs as bob"),
        (ALICE, Trigger("alice.roots"), "no-such-job", "and so it is with root's"),
        (BOB, Trigger("alice.lent"), None, "it is his, whatever it is called"),
        (ALICE, Pause(("alice.backup",)), None, "her own"),
        (ALICE, Pause(("alice.backup", "bob.backup")), "no-such-job", "all of them or none"),
        (ALICE, Resume(("bob.backup",)), "no-such-job", "another's"),
        (ALICE, Kill(1), None, "her own run"),
        (ALICE, Kill(2), "no-such-run", "another's run"),
        (ALICE, Kill(3), "no-such-run", "root's run"),
        (ALICE, Kill(99), "no-such-run", "nobody's: it looks like another's"),
        (ALICE, Kill(4), None, "it runs as her, whose job that name is by now"),
        (ALICE, Kill(5), "no-such-run", "it ran as bob, though the job's name is hers by now"),
        (BOB, Kill(5), None, "his own"),
        (ALICE, Retry(1), None, "her own run"),
        (ALICE, Retry(2), "no-such-run", "another's"),
        (ALICE, Retry(4), "no-such-job", "her old run would start bob's job"),
        (ALICE, Retry(5), "no-such-run", "bob's old run of a job that is hers"),
        (ALICE, Retry(6), None, "a job in no crontab: that is refused to anybody"),
        (ALICE, Output(1, 1), None, "what her job wrote"),
        (ALICE, Output(2, 1), "no-such-run", "what another's wrote"),
        (ALICE, Output(3, 1), "no-such-run", "what root's wrote"),
        (ALICE, Output(5, 1), "no-such-run", "what bob's wrote under a name of hers"),
        (ALICE, History(), None, "what it tells is hers alone"),
        (ALICE, History(job="bob.backup"), None, "it finds nothing: see test_requests"),
        (ALICE, History(run=1), None, "her own run"),
        (ALICE, History(run=2), "no-such-run", "another's"),
        (ALICE, Reload(), "root-only", "it costs the loop seconds"),
        (ALICE, Inherited(), "root-only", "root's variables have root's secrets"),
        (NAMELESS, Status(), "no-name", "who has no name has no jobs"),
        (NAMELESS, Kill(3), "no-name", "and None is no user of theirs"),
        *((ROOT, each, None, "root may all") for each in (Kill(2), Output(1, 1), Reload(), Inherited(), Trigger("bob.backup"), Kill(99))),
    ],
)  # fmt: skip
def test_what_is_anothers_is_refused_as_what_is_not_there(
    peer: Peer, request_: Request, code: str | None, why: str
) -> None:
    number = rights.run_of(request_)
    run = None if number is None else RUNS.get(number)
    refused = rights.refusal(peer, request_, ENTRIES, run)
    assert (refused and refused.code) == code, why
    for secret in ("bob", "daily", "roots"):
        if refused is not None and secret not in str(request_):
            assert secret not in refused.message, "nobody hears what others have"


def test_another_users_run_is_refused_in_the_words_of_one_that_never_was() -> None:
    anothers = rights.refusal(ALICE, Kill(2), ENTRIES, RUNS[2])
    nobodys = rights.refusal(ALICE, Kill(2), ENTRIES, None)
    assert (
        anothers
        == nobodys
        == Refused("no-such-run", "There is no run 2 of alice; meridian history lists them")
    )


def test_a_name_that_is_mistyped_is_likened_to_own_ones_alone() -> None:
    refused = rights.refusal(ALICE, Trigger("alice.bakcup"), ENTRIES, None)
    assert refused is not None
    assert refused.message.endswith("of alice; did you mean alice.backup?")
    refused = rights.refusal(BOB, Trigger("alice.backup"), {**ENTRIES, "bob.backup": entry("b", "x")}, None)  # fmt: skip
    assert refused is not None
    assert "did you mean alice.lent?" in refused.message


def test_each_verb_is_root_only_until_somebody_says_otherwise() -> None:
    """A new verb gives nobody a right by mistake."""
    told = {Status, Trigger, Retry, Kill, Pause, Resume, History, Output}
    arguments: dict[str, Any] = {"job": "x", "jobs": ("x",), "run": 1, "attempt": 1, "text": ""}
    for kind in set(VERBS.values()) - told:
        names = {name: arguments[name] for name in kind.__slots__ if name in arguments}
        refused = rights.refusal(ALICE, kind(**names), ENTRIES, None)
        assert refused is not None
        assert refused.code == "root-only", kind


# --- a daemon with the jobs of several users -------------------------------------------------------


def machine(**acts: list[Act]) -> Asked:
    """A system daemon: alice and bob have a table each, and root has jobs of its own."""
    world = Asked(line("daily", NOON), acts=acts, grace=60)
    world.edit(line("alice.job", NOON) + line("alice.later", "30 12 * * *"), file="@alice")
    world.edit(line("bob.job", NOON, retry_delay="20m") + "nonsense\n", file="@bob")
    return world


BUSY = {
    "daily": [Act(lasts=900)],
    "alice.job": [Act(lasts=900)],
    "bob.job": [Act(outcome=Exited(1)), Act()],
}


def status(world: Asked, peer: Peer) -> dict[str, Any]:
    world.ask_at("12:05", Status(("daily", "alice.job", "bob.job")), peer)
    world.runs_until("12:06")
    (reply,) = world.replies
    assert isinstance(reply, dict)
    return reply


def test_a_status_is_of_the_peers_own() -> None:
    told = status(machine(**BUSY), ALICE)
    assert [run["job"] for run in told["running"]] == ["alice.job"]
    assert told["waiting"] == []
    assert [run["job"] for run in told["next"]] == ["alice.later", "alice.job"]
    assert told["counts"] == {"running": 1, "waiting": 0, "paused": 0, "catching_up": 0}
    assert (told["entries"], told["zones"], told["problems"], told["kept"]) == (2, 1, 0, 0)
    assert [each["user"] for each in told["files"]] == ["alice"]
    assert told["in_force"] == ["alice.job"]
    assert "bob" not in str(told)
    assert "daily" not in str(told)


def test_who_has_refused_lines_hears_of_them() -> None:
    told = status(machine(**BUSY), BOB)
    assert [run["job"] for run in told["waiting"]] == ["bob.job"]
    assert (told["problems"], [each["lines"] for each in told["files"]]) == (1, [[2]])
    assert "alice" not in str(told)


def test_root_hears_of_everything() -> None:
    told = status(machine(**BUSY), ROOT)
    assert {run["job"] for run in told["running"]} == {"daily", "alice.job"}
    assert told["entries"] == 4
    assert [each["user"] for each in told["files"]] == [None, "alice", "bob"]


def test_what_is_paused_or_made_up_for_is_shown_to_its_user() -> None:
    world = machine()
    world.ask_at("12:01", Pause(("bob.job",), note="bob's secret"), BOB)
    world.ask_at("12:02", Pause(("daily",)), ROOT)
    world.ask_at("12:05", Status(), ALICE)
    world.ask_at("12:05:01", Status(), BOB)
    world.runs_until("12:06")
    *_, alices, bobs = world.replies
    assert alices["paused"] == []
    assert [each["job"] for each in bobs["paused"]] == ["bob.job"]


@pytest.mark.parametrize(
    ("request_", "peer", "answer", "why"),
    [
        (Trigger("alice.later"), ALICE, "running", "her own job"),
        (Trigger("alice.later"), BOB, "no-such-job", "another's"),
        (Kill(2), ALICE, "running", "her own run, which is being ended"),
        (Kill(1), ALICE, "no-such-run", "root's run"),
        (Kill(2), BOB, "no-such-run", "another's run"),
        (Retry(3), BOB, "running", "his own, which waited"),
        (Retry(3), ALICE, "no-such-run", "another's"),
    ],
)
def test_by_hand_users_see_to_their_own_jobs(
    request_: Request, peer: Peer, answer: str, why: str
) -> None:
    world = machine(**BUSY)
    world.ask_at("12:05", request_, peer)
    world.runs_until("12:06")
    (reply,) = world.replies
    assert (reply.code if isinstance(reply, Refused) else reply["state"]) == answer, why


def test_a_history_is_of_the_peers_own() -> None:
    world = machine(**BUSY)
    asked = [
        (History(), ALICE, ["alice.job"]),
        (History(), BOB, ["bob.job"]),
        (History(), ROOT, ["bob.job", "alice.job", "daily"]),
        (History(job="bob.job"), ALICE, []),
        (History(job="bob.job"), BOB, ["bob.job"]),
        (History(run=2), ALICE, ["alice.job"]),
        (History(failed=True), ALICE, []),
    ]
    for second, (request, peer, _) in enumerate(asked):
        world.ask_at(f"12:05:{10 + second}", request, peer)
    world.runs_until("12:06")
    told = [[run["job"] for run in reply["runs"]] for reply in world.replies]
    assert told == [jobs for *_, jobs in asked]
    assert {run["user"] for run in world.replies[0]["runs"]} == {"alice"}


def test_a_daemon_that_stops_still_tells_what_has_been() -> None:
    world = machine(**BUSY)
    world.ask_at("12:00:20", Trigger("alice.later"), ALICE)
    world.stop_at("12:00:10")
    world.ask_at("12:00:21", History(), ALICE)
    world.runs_until("12:06")
    assert [isinstance(reply, Refused) for reply in world.replies] == [True, False]


def test_why_the_journal_refuses_is_told_to_root_alone() -> None:
    world = machine()
    world.at("12:00:05", lambda: setattr(world.journal, "is_full", True))
    world.ask_at("12:00:10", Pause(("alice.job",)), ALICE)
    world.ask_at("12:00:11", Pause(("daily",)), ROOT)
    world.runs_until("12:01")
    alices, roots = world.replies
    assert (alices.code, alices.message) == ("journal", rights.JOURNAL_REFUSES)
    assert roots == Refused("journal", "the disk is full")
