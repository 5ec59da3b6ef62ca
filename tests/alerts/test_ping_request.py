"""What is asked of whom: the conventions of healthchecks.io and of Cronitor."""

from __future__ import annotations

import uuid
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from notices import ping

from scheduler.alerts.ping_request import MOST_BODY, MOST_MESSAGE, request_of, run_id

HC = "https://hc-ping.com/8b2e"
CRONITOR = "https://cronitor.link/p/KEY/backup"


@pytest.mark.parametrize(
    ("url", "detail", "outcome", "path", "query"),
    [
        (HC, "start", "", "/8b2e/start", {}),
        (HC, "success", "", "/8b2e", {}),
        (HC, "success", "exit 4", "/8b2e", {}),  # CRON_SUCCESS=0,4
        (HC, "fail", "exit 3", "/8b2e/3", {}),
        (HC, "fail", "exit 137 (memory limit)", "/8b2e/137", {}),
        (HC, "fail", "exit 0", "/8b2e/fail", {}),  # CRON_SUCCESS=1: /0 would be a success
        (HC, "fail", "signal 9", "/8b2e/fail", {}),
        (HC, "fail", "timed out", "/8b2e/fail", {}),
        (HC, "fail", "not started: exit 5", "/8b2e/fail", {}),  # a file of that name
        (HC, "fail", "", "/8b2e/fail", {}),
        (f"{HC}/", "start", "", "/8b2e/start", {}),
        (f"{HC}?create=1", "start", "", "/8b2e/start", {"create": ["1"]}),
        (f"{HC}?a=b%2Fc&d#part", "success", "", "/8b2e", {"a": ["b/c"], "d": [""]}),
        ("http://127.0.0.1:8000/ping/8b2e", "fail", "exit 1", "/ping/8b2e/1", {}),
    ],
)
def test_healthchecks_hears_it_in_the_path(
    url: str, detail: str, outcome: str, path: str, query: dict[str, list[str]]
) -> None:
    asked = urlsplit(request_of(ping(url, detail, outcome=outcome), "", "host").url)
    rid = parse_qs(asked.query)["rid"]
    assert asked.path == path
    assert parse_qs(asked.query, keep_blank_values=True) == {**query, "rid": rid}
    assert str(uuid.UUID(rid[0])) == rid[0]
    assert asked.fragment == ""


@pytest.mark.parametrize(
    ("detail", "outcome", "said"),
    [
        ("start", "", {"state": ["run"]}),
        ("success", "exit 0", {"state": ["complete"], "status_code": ["0"]}),
        ("fail", "exit 3", {"state": ["fail"], "status_code": ["3"]}),
        ("fail", "signal 9", {"state": ["fail"]}),
    ],
)
def test_cronitor_hears_it_in_the_query(
    detail: str, outcome: str, said: dict[str, list[str]]
) -> None:
    notice = ping(f"{CRONITOR}?env=prod", detail, outcome=outcome, reason="")
    request = request_of(notice, "the end\n", "web-1")
    asked = urlsplit(request.url)
    rest = {"env": ["prod"], "host": ["web-1"], "series": [run_id(notice, "web-1")]}
    found = parse_qs(asked.query)
    message = found.pop("message")[0]
    assert (asked.hostname, asked.path) == ("cronitor.link", "/p/KEY/backup")
    assert found == rest | said
    assert message.endswith("the end\n")
    assert request.body is None


def test_all_pings_of_a_run_have_one_id_and_no_others() -> None:
    start, end = ping(HC, "start"), ping(HC, "fail")
    assert run_id(start, "a") == run_id(end, "a")
    others = [
        run_id(replace(start, facts=replace(start.facts, run=8)), "a"),
        run_id(replace(start, facts=replace(start.facts, job="other")), "a"),
        run_id(start, "b"),  # another machine with the same crontab
    ]
    assert len({run_id(start, "a"), *others}) == 4


def test_the_body_is_the_end_of_the_output_and_says_why_it_failed() -> None:
    fail = request_of(ping(HC, "fail"), "disk full\n", "host")
    assert fail.body == b"exit 3: no attempts left\ndisk full\n"
    # The service may look for words in it, so it is the job's alone.
    assert request_of(ping(HC, "success"), "all copied", "host").body == b"all copied"
    assert request_of(ping(HC, "start"), "", "host").body == b""


def test_a_long_output_is_cut_at_its_beginning_and_at_no_letter() -> None:
    body = request_of(ping(HC, "success"), "x" + "\N{EURO SIGN}" * 20_000, "host").body
    assert body is not None
    assert MOST_BODY - 3 <= len(body) <= MOST_BODY
    assert set(body.decode()) == {"\N{EURO SIGN}"}
    asked = request_of(ping(CRONITOR, "success"), "y" * 20_000 + "end", "host")
    message = parse_qs(urlsplit(asked.url).query)["message"][0]
    assert len(message) == MOST_MESSAGE
    assert message.endswith("yend")


def test_the_daemons_own_ping_belongs_to_no_run() -> None:
    own = replace(ping(HC, "success", run=None, outcome="", reason="", attempts=()), text="")
    assert request_of(own, "", "host").url == HC
    sick = replace(ping(HC, "fail", run=None, outcome="", reason="", attempts=()), text="no space")
    request = request_of(sick, "", "host")
    assert (request.url, request.body) == (f"{HC}/fail", b"no space")
    # Cronitor's heartbeats have no state while all is well.
    beat = replace(own, target=f"ping:{CRONITOR}")
    assert parse_qs(urlsplit(request_of(beat, "", "a").url).query) == {"host": ["a"]}


@pytest.mark.parametrize(
    "url",
    ["https://notcronitor.link/p/K/j", "https://cronitor.link.example.org/p/K/j"],
)
def test_only_cronitors_own_host_is_cronitor(url: str) -> None:
    assert request_of(ping(url, "start"), "", "host").url.partition("?")[0] == f"{url}/start"
