"""cron's tables are handed over as a whole: a step that fails leaves all as it was."""

from __future__ import annotations

import os
import signal
import stat
from typing import TYPE_CHECKING

import pytest

from scheduler.cli.adopt import crons_units, handover
from scheduler.errors import MeridianError
from scheduler.system import cron_lock
from scheduler.system.cron_lock import CronHolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# systemctl(1), as far as it is used: a folder of files for each unit. At the call FAIL it does what
# FAILING says.
SYSTEMCTL = """#!/bin/sh
cd "$UNITS" || exit
is() { [ -e "$1/$2" ]; }
if [ "$1" = show ]; then
  [ -d "$3" ] || { echo LoadState=not-found; exit; }
  if is "$3" removed && ! is "$3" masked; then echo LoadState=not-found; exit; fi
  echo "Id=$3"
  is "$3" masked && echo LoadState=masked || echo LoadState=loaded
  is "$3" active && echo ActiveState=active || echo ActiveState=inactive
  is "$3" enabled && echo UnitFileState=enabled || echo UnitFileState=disabled
  exit
fi
start() {
  is "$1" masked && { echo "$1 is masked" >&2; exit 1; }
  [ "$1" != anacron.timer ] || ! is anacron.service masked || { echo Job failed >&2; exit 1; }
  : >"$1/active"
  case $1 in
  cron.service) [ ! -e lock ] || { echo "Meridian has the lock" >&2; exit 1; } ;;
  meridian.service)
    rm -f lock
    if grep -qs -e --system "$OPTIONS" && ! is cron.service active; then : >lock; fi ;;
  esac
}
stop() { rm -f "$1/active"; [ "$1" != meridian.service ] || rm -f lock; }
echo "$*" >>calls
way=
[ "$(wc -l <calls)" -ne "$FAIL" ] || way=$FAILING
[ "$way" != before ] || { echo no >&2; exit 1; }
verb=$1 now=
shift
[ "$1" != --now ] || { now=yes; shift; }
for unit; do
  case $verb in
  start | stop) "$verb" "$unit" ;;
  restart) stop "$unit"; start "$unit" ;;
  mask) : >"$unit/masked"; [ -z "$now" ] || stop "$unit" ;;
  unmask) rm -f "$unit/masked" ;;
  enable) : >"$unit/enabled" ;;
  disable) rm -f "$unit/enabled"; [ -z "$now" ] || stop "$unit" ;;
  esac
done
case $way in
after) echo no >&2; exit 1 ;;
lock) if [ "$unit" != meridian.service ]; then :; elif [ -e lock ]; then rm lock; else : >lock; fi ;;
HUP | INT | TERM) kill "-$way" "$PPID" ;;
esac
exit 0
"""
WAYS = [
    pytest.param("before", id="and is not done"),
    pytest.param("after", id="though it is done"),
    pytest.param("lock", id="as the lock is not who ought to have it"),
    pytest.param("INT", id="as Ctrl-C is pressed"),
    pytest.param("TERM", id="as it is ended"),
]
CRONS = {
    "cron.service": {"active", "enabled"},
    "anacron.service": {"enabled"},
    "anacron.timer": {"active"},
}
TAKEN = {
    "cron.service": {"masked", "enabled"},
    "anacron.service": {"masked", "enabled"},
    "anacron.timer": {"masked"},
}
KEPT = '"cron.service": true, "anacron.service": false, "anacron.timer": true'
RECORD = f'{{"crons": {{{KEPT}}}, "service_active": %s}}\n'

Files = dict[str, str]
ON, OFF = {"active", "enabled"}, set[str]()
FIRST = {**CRONS, "meridian.service": ON}
SECOND = {**TAKEN, "meridian.service": ON}
SYSTEM = "MERIDIAN_RUN=--system\n"
OTHER = "# by hand\nMERIDIAN_RUN=--verbose\n"
CASES = [
    pytest.param(handover.take, FIRST, {}, id="taken"),
    pytest.param(handover.take, FIRST, {"options": OTHER}, id="taken, with other options"),
    pytest.param(handover.take, FIRST, {"options": SYSTEM}, id="taken, with --system by hand"),
    pytest.param(handover.take, {**CRONS, "meridian.service": OFF}, {}, id="taken, service off"),
    pytest.param(
        handover.take, SECOND, {"options": SYSTEM, "adopted": RECORD % "true"}, id="taken again"
    ),
    pytest.param(
        handover.give_back, SECOND, {"options": SYSTEM, "adopted": RECORD % "true"}, id="given back"
    ),
    pytest.param(
        handover.give_back,
        SECOND,
        {"options": SYSTEM, "adopted": RECORD % "false"},
        id="given back, and the service off",
    ),
]


class Stage:
    """A machine's units and files, in a folder of its own each time."""

    def __init__(self, folder: Path, units: dict[str, set[str]], files: Files) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "systemctl").write_text(SYSTEMCTL)
        (folder / "systemctl").chmod(0o700)
        for name, text in files.items():
            (folder / name).write_text(text)
        self.units = folder / "units"
        for unit, states in units.items():
            (self.units / unit).mkdir(parents=True)
            for state in states:
                (self.units / unit / state).touch()
        if "masked" in units["cron.service"]:
            (self.units / "lock").touch()

    def seen(self) -> dict[str, str]:
        """All there is, but what the stub has counted."""
        found = (*self.units.rglob("*"), self.folder / "options", self.folder / "adopted")
        files = {each for each in found if each.is_file() and each.name != "calls"}
        return {str(each.relative_to(self.folder)): each.read_text() for each in sorted(files)}

    def mode(self) -> int:
        return stat.S_IMODE((self.folder / "options").stat().st_mode)

    def holder(self) -> CronHolder | None:
        return CronHolder(1, "meridian", True) if (self.units / "lock").exists() else None

    def hand_over(
        self, change: Callable[[Callable[[str], None]], None], failing: str = "", fail: int = 0
    ) -> Exception | None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", f"{self.folder}:{os.environ['PATH']}")
            patch.setenv("UNITS", str(self.units))
            patch.setenv("OPTIONS", str(self.folder / "options"))
            patch.setenv("FAIL", str(fail))
            patch.setenv("FAILING", failing)
            patch.setattr(handover, "OPTIONS_FILE", self.folder / "options")
            patch.setattr(handover, "ADOPTED_FILE", self.folder / "adopted")
            patch.setattr(handover, "_QUIET_SECONDS", (0, 60))
            patch.setattr(handover, "_LOCK_PATIENCE", 0.01)
            patch.setattr(cron_lock, "holder", self.holder)
            patch.setattr(crons_units, "_UNLOCKED_CRONS", ())
            try:
                change(self.tell)
            except MeridianError as error:
                return error
        return None

    def tell(self, _text: str) -> None:
        """Hear it, as a terminal that is gone does."""
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("failing", WAYS)
@pytest.mark.parametrize(("change", "units", "files"), CASES)
def test_a_step_that_fails_leaves_all_as_it_was(
    change: Callable[[Callable[[str], None]], None],
    units: dict[str, set[str]],
    files: Files,
    failing: str,
    tmp_path: Path,
) -> None:
    whole = Stage(tmp_path / "whole", units, files)
    assert whole.hand_over(change) is None
    done = whole.seen()
    steps = len((whole.units / "calls").read_text().splitlines())
    failed = 0
    for step in range(1, steps + 1):
        stage = Stage(tmp_path / str(step), units, files)
        before = stage.seen()
        if stage.hand_over(change, failing, step):
            failed += 1
            assert stage.seen() == before, step
        else:
            assert stage.seen() == done, step
    assert failed == steps or (failing == "lock" and failed), "that was a test"


@pytest.mark.parametrize(("change", "units", "files"), CASES)
def test_a_terminal_that_goes_away_ends_no_handover(
    change: Callable[[Callable[[str], None]], None],
    units: dict[str, set[str]],
    files: Files,
    tmp_path: Path,
) -> None:
    whole, stage = Stage(tmp_path / "whole", units, files), Stage(tmp_path / "hup", units, files)
    before = signal.getsignal(signal.SIGHUP)
    assert whole.hand_over(change) is None
    assert stage.hand_over(change, "HUP", 2) is None
    assert stage.seen() == whole.seen()
    assert signal.getsignal(signal.SIGHUP) == before


@pytest.mark.parametrize(("change", "units", "files"), CASES)
def test_what_is_against_it_is_looked_for_once_no_minute_is_about_to_begin(
    change: Callable[..., None],
    units: dict[str, set[str]],
    files: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job that starts while that is waited for would be ended by the restart."""
    waited: list[str] = []
    monkeypatch.setattr(handover, "_wait_for_quiet", lambda _tell: waited.append("waited"))

    def check() -> None:
        assert waited == ["waited"]
        raise MeridianError("a job runs")

    stage = Stage(tmp_path / "stage", units, files)
    before = stage.seen()
    assert str(stage.hand_over(lambda tell: change(tell, check))) == "a job runs"
    assert stage.seen() == before
    assert not (stage.units / "calls").exists()


def test_tables_are_not_given_back_to_a_cron_that_is_not_here(tmp_path: Path) -> None:
    """A mask outlives the package: until it is taken away, the unit looks as if it were there."""
    files = {"options": SYSTEM, "adopted": RECORD % "true"}
    stage = Stage(tmp_path / "refused", SECOND, files)
    (stage.units / "cron.service" / "removed").touch()
    before = stage.seen()
    refused = str(stage.hand_over(handover.give_back))
    assert refused.startswith("not here any more: cron.service; nobody would run the tables")
    assert stage.seen() == before
    assert "meridian.service" not in (stage.units / "calls").read_text()
    stage = Stage(tmp_path / "anyway", SECOND, files)
    (stage.units / "cron.service" / "removed").touch()
    assert stage.hand_over(lambda tell: handover.give_back(tell, anyway=True)) is None
    assert not (stage.folder / "adopted").exists()


def test_a_slow_stop_costs_cron_no_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute between its stop and the lock would be run by nobody."""
    stage = Stage(tmp_path / "stage", FIRST, {})
    calls = stage.units / "calls"
    seen: list[list[str]] = []
    monkeypatch.setattr(
        handover,
        "_wait_for_quiet",
        lambda _tell: seen.append(calls.read_text().splitlines() if calls.exists() else []),
    )
    assert stage.hand_over(handover.take) is None
    assert seen == [[], ["enable meridian.service", "stop meridian.service"]]
    later = calls.read_text().splitlines()[2:]
    assert later == [
        "mask --now cron.service anacron.service anacron.timer",
        "restart meridian.service",
    ]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
@pytest.mark.parametrize(
    ("change", "units", "files"),
    [
        pytest.param(handover.take, FIRST, {"options": OTHER}, id="taken"),
        pytest.param(
            handover.give_back,
            SECOND,
            {"options": OTHER + SYSTEM, "adopted": RECORD % "true"},
            id="given back",
        ),
        pytest.param(
            handover.give_back,
            SECOND,
            {"options": SYSTEM, "adopted": RECORD % "true"},
            id="given back, and no options left",
        ),
    ],
)
def test_who_may_read_the_options_is_as_before(
    change: Callable[[Callable[[str], None]], None],
    units: dict[str, set[str]],
    files: Files,
    mode: int,
    tmp_path: Path,
) -> None:
    """They are an environment file, where a secret may stand."""
    whole = Stage(tmp_path / "whole", units, files)
    (whole.folder / "options").chmod(mode)
    assert whole.hand_over(change) is None
    if (whole.folder / "options").exists():
        assert whole.mode() == mode
    steps = len((whole.units / "calls").read_text().splitlines())
    undone = Stage(tmp_path / "undone", units, files)
    (undone.folder / "options").chmod(mode)
    assert undone.hand_over(change, "before", steps) is not None
    assert undone.mode() == mode
