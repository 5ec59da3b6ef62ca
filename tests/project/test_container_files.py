"""The files of docs/container agree with each other, and with what was tested."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import sources

from scheduler.crontab import parser

DOCS = sources.ROOT / "docs/container"


def test_the_compose_file_runs_the_image_as_it_was_tested() -> None:
    """Read as text: no reader of YAML is here without an extra."""
    text = (DOCS / "compose.yaml").read_text(encoding="utf-8")
    for line in ("read_only: true", "- state:/state", "- ./crontab:/crontab:ro", "cap_drop: [ALL]"):
        assert line in text
    (grace,) = re.findall(r"stop_grace_period: (\d+)s", text)
    assert int(grace) > 20, "--grace and CRON_KILL_AFTER together"


def test_the_first_crontab_of_a_container_has_no_problem() -> None:
    table = parser.parse((DOCS / "crontab").read_bytes(), file="crontab", zone=ZoneInfo("UTC"))
    assert not table.problems
    assert len(table.entries) == 1
