"""What becomes of a run that is due: the table of CRON_OVERLAP, a row a case."""

from __future__ import annotations

from itertools import product

import pytest

from scheduler.entry import Overlap
from scheduler.run import Reason
from scheduler.runs.overlap import Queue, Replace, Skip, Start, Verdict, decide

ALLOW, SKIP, QUEUE, REPLACE = Overlap.ALLOW, Overlap.SKIP, Overlap.QUEUE, Overlap.REPLACE
TOO_LATE, OVERLAPS = Skip(Reason.TOO_LATE), Skip(Reason.OVERLAP)


NAMES = ("too_late", "busy", "late", "catching_up", "queued", "planned")


def facts(text: str) -> dict[str, bool]:
    """Return what is so of a run and its job; what the text does not name is not so."""
    named = set(text.split())
    assert named <= set(NAMES)
    return {name: name in named for name in NAMES}


@pytest.mark.parametrize(
    ("policy", "so", "verdict", "why"),
    [
        (SKIP, "", Start(), "nothing is in its way"),
        (ALLOW, "", Start(), "nothing is in its way"),
        (QUEUE, "", Start(), "nothing is in its way"),
        (REPLACE, "", Start(), "there is nothing to replace"),
        (REPLACE, "planned", Start(), "what is planned is itself"),
        (SKIP, "late", Start(), "late, but the job is idle"),
        (SKIP, "catching_up", Start(), "between two missed runs the job is idle"),
        (QUEUE, "queued", Start(), "who waits for an idle job is about to start"),
        (SKIP, "too_late", TOO_LATE, "CRON_WITHIN is over, though the job is idle"),
        (ALLOW, "too_late", TOO_LATE, "and whatever the policy is"),
        (QUEUE, "too_late busy", TOO_LATE, "too late comes before overlap"),
        (REPLACE, "too_late busy", TOO_LATE, "nobody is ended for a run that does not start"),
        (ALLOW, "busy", Start(), "beside one another"),
        (ALLOW, "busy late", Start(), "however late"),
        (ALLOW, "busy catching_up queued", Start(), "it never waits for its own job"),
        (SKIP, "busy", OVERLAPS, "the default"),
        (SKIP, "busy queued", OVERLAPS, "whoever waits"),
        (SKIP, "busy planned", OVERLAPS, "also for the coming minute"),
        (SKIP, "busy late", Queue(), "only the delay brought them together"),
        (SKIP, "busy catching_up", Queue(), "it comes while missed ones are made up for"),
        (SKIP, "busy late queued", Queue(), "behind those that wait"),
        (QUEUE, "busy", Queue(), "one waits"),
        (QUEUE, "busy queued", OVERLAPS, "and no second one"),
        (QUEUE, "busy late queued", Queue(), "but a late one does"),
        (QUEUE, "busy catching_up queued", Queue(), "and one in a catch-up"),
        (REPLACE, "busy", Replace(), "the newest run is what counts"),
        (REPLACE, "busy queued", Replace(), "in line, too"),
        (REPLACE, "busy late", Queue(), "a late run ends nobody"),
        (REPLACE, "busy catching_up", Queue(), "missed runs come one after the other"),
        (REPLACE, "busy planned", Queue(), "an attempt of the coming minute is not ended"),
    ],
)
def test_a_run_that_is_due(policy: Overlap, so: str, verdict: Verdict, why: str) -> None:
    assert decide(policy, **facts(so)) == verdict, why


CASES = [
    (policy, " ".join(name for name, holds in zip(NAMES, bits, strict=True) if holds))
    for policy in Overlap
    for bits in product((False, True), repeat=len(NAMES))
]


@pytest.mark.parametrize(("policy", "so"), CASES)
def test_what_holds_in_every_case(policy: Overlap, so: str) -> None:
    verdict = decide(policy, **facts(so))
    on_time = decide(policy, **(facts(so) | {"too_late": False}))
    idle = decide(policy, **(facts(so) | {"too_late": False, "busy": False}))
    assert (verdict == TOO_LATE) == ("too_late" in so)
    assert idle == Start(), "an idle job keeps nobody waiting"
    if policy is ALLOW:
        assert on_time == Start(), "allow never waits"
    if on_time == OVERLAPS:
        assert not facts(so)["late"], "a late run waits where one in time is skipped"
    if on_time == Replace():
        assert policy is REPLACE, "nobody else is ended"
