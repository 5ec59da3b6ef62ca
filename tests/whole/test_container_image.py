"""The image that docs/container builds: any user, a root that is read-only, state on a volume."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import container_image
import pytest
from container_image import Container, Image, running
from real_daemon import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.privileged, pytest.mark.e2e, pytest.mark.timeout(900)]
OTHERS = ("10001:10001", "12345:0", "0:0")  # the image's own, one that no file names, root
CRONTAB = """\
CRON_RETRIES=0
CRON_NAME=greeting @reboot echo "$GREETING"; id -u; touch /no-room 2>&1 || :
CRON_NAME=orphaning @reboot (setsid sleep 0.3 &); echo left
CRON_NAME=long @reboot trap 'echo ending; exit 3' TERM; sleep 300 & wait
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    with container_image.built(tmp_path_factory.mktemp("image")) as image:
        yield image


def over(container: Container, job: str) -> bool:
    return bool(container.process.said("succeeded", job=job))


@pytest.mark.parametrize("user", OTHERS)
def test_it_runs_as_any_user_on_a_root_that_is_read_only(
    tmp_path: Path, image: Image, user: str
) -> None:
    with running(image, tmp_path, CRONTAB, user=user, GREETING="from outside") as container:
        until(lambda: over(container, "greeting"))
        said = container.run("meridian", "logs", "greeting").stdout.splitlines()
        assert said[:2] == ["from outside", user.partition(":")[0]]
        assert "Read-only file system" in said[2]
        (told,) = container.process.said("meridian")
        assert told["pid"] == 1
        assert container.process.said("bug") == []


def test_what_jobs_write_stands_in_the_log_and_all_of_that_is_json(
    tmp_path: Path, image: Image
) -> None:
    with running(image, tmp_path, CRONTAB, GREETING="hello") as container:
        until(lambda: container.process.said("output", job="greeting", text="hello"))
        assert all(json.loads(line) for line in container.process.log.read_text().splitlines()[:-1])


def test_its_health_is_good_while_it_runs(tmp_path: Path, image: Image) -> None:
    with running(image, tmp_path, CRONTAB) as container:
        until(lambda: over(container, "greeting"))
        done = container.run("/bin/sh", "-c", image.health)
        assert (done.returncode, done.stdout[:2]) == (0, "OK")


def test_a_job_that_fails_for_good_shows_in_its_health(tmp_path: Path, image: Image) -> None:
    with running(image, tmp_path, "CRON_RETRIES=0 CRON_NAME=bad @reboot false\n") as container:
        until(lambda: container.process.said("failed", job="bad"))
        done = container.run("/bin/sh", "-c", image.health)
        assert (done.returncode, "bad" in done.stdout) == (1, True)


def test_a_stop_reaches_the_jobs_and_the_volume_remembers(tmp_path: Path, image: Image) -> None:
    with running(image, tmp_path, CRONTAB) as container:
        until(
            lambda: over(container, "orphaning") and container.process.said("started", job="long")
        )
        assert container.stop(signal.SIGTERM) == 0
    with running(image, tmp_path, CRONTAB) as container:
        until(lambda: len(container.process.said("started", job="long")) == 2)
        text = container.run("meridian", "history", "long", "--json").stdout
        states = [json.loads(line) for line in text.splitlines()]
        assert [row["attempts"][0]["outcome"] for row in states if row["state"] != "running"] == ["exit 3"]  # fmt: skip
