"""What becomes of a test whose program is missing: left out by a person, failed by CI."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from programs import program

CI = Path(__file__).parent.parent.parent / ".ci/run"


@pytest.mark.parametrize(
    ("ci", "what"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)]
)
def test_a_missing_program_is_a_failure_in_ci_alone(
    monkeypatch: pytest.MonkeyPatch, ci: str, what: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(what):
        program("no-such-program")


def test_ci_says_that_it_is_ci() -> None:
    exported = [line for line in CI.read_text().splitlines() if line.startswith("export CI=")]
    script = "\n".join((*exported, 'printf "%s" "$CI"'))
    done = subprocess.run(["/bin/sh", "-c", script], env={}, capture_output=True, check=True)
    assert done.stdout == b"1"
