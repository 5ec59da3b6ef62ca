"""A daemon whose crontabs change: what is read when, what goes on, and what is only kept."""

from __future__ import annotations

import pytest
from fakes import Act
from world import FILE, World, line, when

from scheduler.run import Exited, Reason
from scheduler.system.calendars import CalendarSource

FAILS = Act(outcome=Exited(1))
EVERY_MINUTE = "* * * * *"
OLD = line("old", EVERY_MINUTE)
NEW = line("new", EVERY_MINUTE)


# --- when they are read -------------------------------------------------------------------------


def test_a_changed_crontab_is_read_before_the_next_minute() -> None:
    world = World(OLD)
    world.edit_at("12:00:59", NEW)
    world.runs_until("12:01:30")
    assert world.starts("old") == ["11:59:30", "12:00:00"]
    assert world.starts("new") == ["12:01:00"]


def test_an_unchanged_crontab_is_not_read_again() -> None:
    world = World(OLD)
    world.runs_until("12:30")
    assert world.library.loads == 1


def test_sighup_reads_them_at_once() -> None:
    world = World(OLD)
    world.reload_at("12:00:30")
    world.runs_until("12:00:40")
    assert world.library.loads == 2


@pytest.mark.parametrize("time", ["12:00:59.7", "12:00:59.8", "12:00:59.9", "12:00:59.999"])
def test_sighup_just_before_the_minute_adds_what_is_due_then(time: str) -> None:
    """The minute is prepared by then, and the rest of it is not forgotten, nor is it done twice."""
    text = line("long", EVERY_MINUTE, overlap="allow")
    world = World(OLD + text, acts={"long": [Act(lasts=90)]})
    world.edit_at(time, OLD + NEW + text)
    world.reload_at(time)
    world.runs_until("12:01:30")
    assert world.starts("new") == ["12:01:00"]
    assert world.starts("old") == ["11:59:30", "12:00:00", "12:01:00"]
    assert world.starts("long") == ["11:59:30", "12:00:00", "12:01:00"]


@pytest.mark.parametrize("time", ["12:00:59.7", "12:00:59.8", "12:00:59.999"])
def test_sighup_just_before_the_minute_lets_nothing_of_the_old_text_start(time: str) -> None:
    """What is prepared by then is taken back: a removed line, and the old command of an edited."""
    edited = "CRON_NAME=old * * * * * {}\n"
    world = World(edited.format("dangerous") + line("gone", EVERY_MINUTE))
    world.edit_at(time, edited.format("harmless"))
    world.reload_at(time)
    world.runs_until("12:01:30")
    assert world.starts("gone") == ["11:59:30", "12:00:00"]
    assert world.starts("old") == ["11:59:30", "12:00:00", "12:01:00"]
    assert world.spawner.launched[-1].entry.command == "harmless"
    assert world.history("gone")[2:] == []


def test_several_crontabs_are_one_timetable() -> None:
    world = World(OLD)
    world.edit(NEW, file="other")
    world.runs_until("12:00:30")
    assert world.starts("old") == world.starts("new") == ["11:59:30", "12:00:00"]


# --- calendars that take their time --------------------------------------------------------------

CALENDAR = "slow.ics"


def hanging(world: World, since: str, until: str) -> World:
    """Let the calendar of a new crontab be read for so long."""
    world.at(since, lambda: setattr(world.library, "hanging", CALENDAR))
    world.edit_at(since, f"# {CALENDAR}\n{NEW}")

    def is_read() -> None:
        world.library.hanging = ""
        world.daemon.wake()

    world.at(until, is_read)
    return world


def test_while_a_calendar_is_read_the_old_crontabs_stay_in_force() -> None:
    world = hanging(World(OLD), "12:00:59.5", "12:03:20")
    world.runs_until("12:04:30")
    assert world.starts("old") == ["11:59:30", "12:00:00", "12:01:00", "12:02:00", "12:03:00"]
    assert world.starts("new") == ["12:04:00"]
    assert world.library.apart == [{CalendarSource(CALENDAR)}]
    (told,) = world.said("calendars")
    assert told["calendars"] == CALENDAR
    assert world.library.loads == 3  # at the start, in vain, and when it was there


def test_however_often_a_reload_is_asked_for_a_calendar_is_read_once() -> None:
    world = hanging(World(OLD), "12:00:30", "12:02:30")
    for second in range(31, 59):
        world.reload_at(f"12:00:{second}")
    world.runs_until("12:02:40")
    assert world.library.apart == [{CalendarSource(CALENDAR)}]
    assert world.library.loads == 3


def test_what_is_saved_while_a_calendar_is_read_is_in_force_then() -> None:
    world = hanging(World(OLD), "12:00:30", "12:02:30")
    world.edit_at("12:02:20", line("newest", EVERY_MINUTE))
    world.runs_until("12:03:30")
    assert world.starts("newest") == ["12:03:00"]
    assert world.starts("new") == []


def test_a_daemon_that_starts_waits_for_its_calendars_and_says_so() -> None:
    world = hanging(World(), "11:59:30", "12:02:20")
    world.edit(f"# {CALENDAR}\n{NEW}")
    world.library.hanging = CALENDAR
    world.runs_until("12:03:30")
    assert world.starts("new") == ["12:02:20", "12:03:00"]
    (told,) = world.said("calendars")
    assert told["calendars"] == CALENDAR


def test_a_daemon_that_starts_can_be_stopped_before_its_calendars_are_there() -> None:
    """What the last one left is as it was: its jobs are in no crontab yet."""
    world = World(line("job", "0 12 * * *", retry_delay="10m"), acts={"job": [FAILS, Act()]})
    world.crashes_at("12:05")
    world.library.hanging = CALENDAR
    world.edit(f"# {CALENDAR}\n" + line("job", "0 12 * * *", retry_delay="10m"))
    world.runs_until("12:06")
    assert world.history("job") == ["12:00 scheduled: exit 1 -> 12:10:00"]
    world.library.hanging = ""
    world.runs_until("12:11")
    assert world.history("job") == ["12:00 succeeded: exit 1, exit 0"]


def test_a_daemon_that_is_stopped_waits_for_no_calendar() -> None:
    world = hanging(World(OLD), "12:00:30", "12:09")
    world.runs_until("12:01:30")
    assert world.starts("old") == ["11:59:30", "12:00:00", "12:01:00"]


# --- what is under way --------------------------------------------------------------------------


def test_running_jobs_are_untouched() -> None:
    """Neither by a change of their own line nor by its end."""
    text = line("one", "0 12 * * *") + line("two", "0 12 * * *")
    world = World(text, acts={"one": [Act(lasts=300)], "two": [Act(lasts=300)]})
    world.edit_at("12:01", line("one", "0 12 * * *", timeout="10s"))
    world.runs_until("12:10")
    assert world.signals() == []
    assert world.history("one") == world.history("two") == ["12:00 succeeded: exit 0"]


def test_an_entry_that_is_removed_while_it_runs_is_not_retried() -> None:
    world = World(line("job", "0 12 * * *"), acts={"job": [Act(lasts=300, outcome=Exited(1))]})
    world.edit_at("12:01", NEW)
    assert world.runs_until("12:10").history("job") == [
        "12:00 failed (no longer in a crontab): exit 1"
    ]


def test_an_entry_that_is_removed_goes_by_its_own_success_codes() -> None:
    text = line("job", "0 12 * * *", success="3")
    world = World(text, acts={"job": [Act(lasts=300, outcome=Exited(3))]})
    world.edit_at("12:01", NEW)
    assert world.runs_until("12:10").history("job") == ["12:00 succeeded: exit 3"]


def test_an_entry_that_is_removed_before_its_retry_is_not_retried() -> None:
    world = World(line("job", "0 12 * * *", retry_delay="10m"), acts={"job": [FAILS]})
    world.edit_at("12:01", NEW)
    assert world.runs_until("12:30").history("job") == [
        "12:00 failed (no longer in a crontab): exit 1"
    ]


def test_an_entry_that_is_removed_while_a_run_waits_does_not_run_again() -> None:
    text = line("job", "0-1 12 * * *", overlap="queue")
    world = World(text, acts={"job": [Act(lasts=300)]})
    world.edit_at("12:02", NEW)
    assert world.runs_until("12:30").history("job") == [
        "12:00 succeeded: exit 0",
        "12:01 skipped (no longer in a crontab): -",
    ]


def test_a_retry_goes_by_the_edited_entry() -> None:
    world = World(line("job", "0 12 * * *", retry_delay="10m"), acts={"job": [FAILS]})
    world.edit_at("12:01", line("job", "0 12 * * *", retries=1))
    assert world.runs_until("12:30").history("job") == [
        "12:00 failed (no attempts left): exit 1, exit 1"
    ]


# --- bad edits ----------------------------------------------------------------------------------


def test_a_bad_edit_leaves_the_last_good_entry_and_says_so_until_it_is_mended() -> None:
    world = World(OLD + NEW)
    bad = line("old", "* 25 * * *")
    world.edit_at("12:00:30", bad + NEW)
    world.edit_at("12:01:30", bad + NEW + "# and something else\n")
    world.edit_at("12:02:30", line("old", "0 0 * * *") + NEW)
    world.runs_until("12:03:30")
    assert world.starts("old") == ["11:59:30", "12:00:00", "12:01:00", "12:02:00"]
    assert world.starts("new") == [*world.starts("old"), "12:03:00"]
    assert [(said["job"], said["line"]) for said in world.said("kept")] == [("old", 1)] * 2
    assert {said["code"] for said in world.said("problem")} == {"out-of-range"}


def test_a_line_that_is_taken_out_is_no_bad_edit() -> None:
    world = World(OLD + NEW)
    world.edit_at("12:00:30", NEW)
    world.runs_until("12:01:30")
    assert world.starts("old") == ["11:59:30", "12:00:00"]
    assert world.said("kept") == []


def test_bad_lines_never_take_good_ones_down() -> None:
    world = World("nonsense\n" + OLD + line("new", "60 * * * *"))
    world.runs_until("12:00:30")
    assert world.starts("old") == ["11:59:30", "12:00:00"]
    assert [said["line"] for said in world.said("problem")] == [1, 3]


# --- files that vanish --------------------------------------------------------------------------


def test_a_crontab_that_vanishes_for_one_look_is_not_forgotten() -> None:
    """Editors that save by renaming leave a moment without a file."""
    world = World(OLD, named=False)
    world.edit_at("12:00:59", None)
    world.edit_at("12:01:01", OLD + NEW)
    world.runs_until("12:02:30")
    assert world.starts("old") == ["11:59:30", "12:00:00", "12:01:00", "12:02:00"]
    assert world.starts("new") == ["12:02:00"]


def test_a_crontab_that_stays_away_is_gone_at_the_second_look() -> None:
    world = World(OLD, named=False)
    world.edit_at("12:00:59", None)
    world.runs_until("12:03:30")
    assert world.starts("old") == ["11:59:30", "12:00:00", "12:01:00"]


def test_a_crontab_that_was_named_is_kept_when_it_stays_away() -> None:
    world = World(OLD)
    world.edit_at("12:00:59", None)
    world.runs_until("12:03:30")
    assert world.starts("old")[-1] == "12:03:00"
    assert [said["code"] for said in world.said("problem")] == ["missing"]
    assert [(said["file"], said["entries"]) for said in world.said("kept")] == [(FILE, 1)]
    assert world.said("recovered") == []


def test_a_crontab_that_can_be_read_again_is_said_to_be() -> None:
    world = World(OLD)
    world.edit_at("12:00:59", None)
    world.edit_at("12:02:30", OLD)
    world.runs_until("12:04:30")
    assert [said["file"] for said in world.said("recovered")] == [FILE]


def test_a_crontab_that_vanishes_does_not_delay_the_reading_of_another() -> None:
    world = World(OLD, named=False)
    world.edit(line("other", EVERY_MINUTE), file="other")
    world.edit_at("12:00:59", None)
    world.edit_at("12:00:59", NEW, file="other")
    world.runs_until("12:03:30")
    assert world.starts("other") == ["11:59:30", "12:00:00"]
    assert world.starts("new") == ["12:01:00", "12:02:00", "12:03:00"]
    assert world.starts("old") == ["11:59:30", "12:00:00", "12:01:00"]


def test_a_daemon_without_crontabs_waits_for_one() -> None:
    world = World(named=False)
    world.library.files.clear()
    world.edit_at("12:00:30", NEW)
    assert world.runs_until("12:01:30").starts("new") == ["12:01:00"]


# --- @every -------------------------------------------------------------------------------------


def test_an_interval_counts_from_when_the_job_was_first_seen() -> None:
    world = World(line("job", "@every 40m"), now="12:00:30")
    assert world.runs_until("14:30").starts("job") == ["12:40:00", "13:20:00", "14:00:00"]


def test_an_interval_goes_on_over_restarts_and_reloads() -> None:
    world = World(line("job", "@every 40m"), now="12:00:30")
    world.reload_at("12:10:30")
    world.runs_until("12:30:30").runs_until("12:50").runs_until("13:30")
    assert world.starts("job") == ["12:40:00", "13:20:00"]


def test_a_new_interval_counts_from_the_last_instant() -> None:
    world = World(line("job", "@every 40m"), now="12:00:30")
    world.edit_at("12:50", line("job", "@every 15m"))
    assert world.runs_until("13:15").starts("job") == ["12:40:00", "12:55:00", "13:10:00"]


def test_an_interval_is_no_excuse_for_an_overlap() -> None:
    world = World(line("job", "@every 1m"), "12:00:30", {"job": [Act(lasts=90)]})
    assert world.runs_until("12:05").starts("job")[:2] == ["12:01:00", "12:03:00"]


@pytest.mark.parametrize("schedule", ["@every 40m", "@reboot"])
def test_however_many_jobs_are_new_they_cost_one_commit(schedule: str) -> None:
    world = World(OLD, now="12:00:30")
    world.daemon.in_force.read(world.clock.now())
    world.edit("".join(line(f"job{n}", schedule) for n in range(50)))
    statements: list[str] = []
    world.journal.connection._sqlite.set_trace_callback(statements.append)
    before = world.journal.connection._sqlite.total_changes
    world.daemon.in_force.read(world.clock.now())
    assert world.journal.connection._sqlite.total_changes - before == 50
    assert [each for each in statements if "commit" in each.lower()] == [statements[-1]]


def test_after_a_time_without_a_daemon_the_crontab_of_then_counts() -> None:
    world = World(line("old", "10 12 * * *"), "12:00:30").runs_until("12:05")
    world.edit(line("new", "20 12 * * *"))
    world.clock.set(when("12:40"))
    world.runs_until("12:50")
    assert world.starts("old") == []
    assert world.starts("new") == ["12:40:00"], "though nobody knows when the line was written"


# --- @reboot ------------------------------------------------------------------------------------


def test_at_reboot_runs_once_a_boot_however_often_the_daemon_starts() -> None:
    world = World(line("job", "@reboot"), now="12:00:30")
    world.runs_until("12:10").runs_until("12:20")
    assert world.starts("job") == ["12:00:30"]
    world.boot = "the next boot"
    world.new_daemon()
    world.runs_until("12:30")
    assert world.starts("job") == ["12:00:30", "12:20:00"]
    assert world.history("job") == ["12:00 succeeded: exit 0", "12:20 succeeded: exit 0"]


def test_at_reboot_is_retried_as_any_run_is() -> None:
    world = World(line("job", "@reboot"), "12:00:30", {"job": [FAILS, Act()]})
    assert world.runs_until("12:10").starts("job") == ["12:00:30", "12:01:00"]


@pytest.mark.parametrize("text", [OLD, None], ids=["beside another", "in the first crontab"])
def test_at_reboot_that_comes_with_an_edit_waits_for_the_next_boot(text: str | None) -> None:
    world = World(now="12:00:30", named=False)
    if text is None:
        world.library.files.clear()
    else:
        world.edit(text)
    world.edit_at("12:01:30", line("job", "@reboot"))
    world.runs_until("12:10").runs_until("12:20")
    assert world.starts("job") == []
    world.boot = "the next boot"
    world.new_daemon()
    assert world.runs_until("12:30").starts("job") == ["12:20:00"]


def test_without_boots_at_reboot_is_left_out_and_said_so() -> None:
    world = World(line("job", "@reboot") + OLD, boot=None)
    world.runs_until("12:00:30")
    assert world.starts("job") == []
    assert len(world.said("skipped")) == 1


# --- what is told -------------------------------------------------------------------------------


def test_each_reading_says_how_much_there_is() -> None:
    world = World(OLD)
    world.edit_at("12:00:30", NEW + line("more", EVERY_MINUTE, tz="Asia/Tokyo"))
    world.runs_until("12:01:30")
    told = [(said["entries"], said["new"], said["gone"]) for said in world.said("crontabs")]
    assert told == [(1, 1, 0), (2, 2, 1)]


def test_the_file_of_a_problem_is_named() -> None:
    world = World("nonsense\n")
    world.runs_until("12:00:30")
    assert [said["file"] for said in world.said("problem")] == [FILE]


def test_the_log_says_what_a_bad_setting_takes_with_it() -> None:
    world = World("CRON_TZ=Mars\n@daily x\n@daily y\n", style="human")
    world.runs_until("12:00:30")
    assert "'Mars'; so 2 entries below are refused: lines 2 and 3" in world.log.getvalue()


# --- names that an earlier version derived -------------------------------------------------------


def earlier(world: World, old: str) -> None:
    """Let the journal have this name as one of an earlier version."""
    world.journal.connection._sqlite.execute("INSERT INTO old_name VALUES (?)", (old,))


def test_what_ran_under_a_name_with_arguments_in_it_is_called_by_the_program_alone() -> None:
    world = World("@reboot curl -u me:hunter2 x\n")
    (entry,) = world.library.load().entries
    digest = entry.job.removeprefix("curl-")
    old = f"curl-u-me-hunter2-x-{digest}"
    earlier(world, old)
    world.journal.daemon_state.set_booted(old, "this boot")
    world.journal.skip(old, when("11:00"), "UTC", Reason.OVERLAP)
    world.runs_until("12:00:30")
    assert world.starts(entry.job) == []  # it has had this boot
    assert [row.run.job for row in world.journal.queries.history()] == [entry.job]
    assert "hunter2" not in world.log.getvalue()
    assert world.journal.daemon_state.old_names() == []


def test_a_name_of_no_entry_or_of_another_hash_stays() -> None:
    world = World("CRON_NAME=mine-123456 0 0 * * * x\n0 0 * * * x\n")
    for old in ("a-b-123456", "mine-123456", "gone-654321"):
        earlier(world, old)
        world.journal.skip(old, when("11:00"), "UTC", Reason.OVERLAP)
    world.runs_until("12:00:30")
    assert {row.run.job for row in world.journal.queries.history()} == {
        *("a-b-123456", "mine-123456", "gone-654321")
    }
