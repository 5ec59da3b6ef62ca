"""Who tells of an entry, and which secrets of the daemon's own user are looked for in that."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from scheduler.alerts.notifier import Notifier
from scheduler.alerts.own_user import OwnUser
from scheduler.entry import Entry, Reboot
from scheduler.journal.journal import Journal
from scheduler.notice import Facts, Kind

ROOT = OwnUser("root", ("a fingerprint",))


@pytest.mark.parametrize(
    ("user", "speaker", "inherited"),
    [
        (None, None, ("a fingerprint",)),
        ("root", None, ("a fingerprint",)),  # the user column names the daemon's own user
        ("bob", "bob", ()),  # a star in his mail would tell him that he guessed a secret of root
    ],
)
def test_who_tells_of_a_job_is_the_user_that_it_runs_as(
    user: str | None, speaker: str | None, inherited: tuple[str, ...]
) -> None:
    entry = Entry("job", Reboot(), "@reboot", ZoneInfo("UTC"), "true", user=user)
    assert (ROOT.speaker_of(entry), ROOT.inherited_by(entry)) == (speaker, inherited)
    journal = Journal.in_memory()
    at = datetime(2027, 3, 1, tzinfo=UTC)
    Notifier(journal.outbox, ROOT).tell(entry, "desktop", Kind.FAILURE, at, Facts("job", "true", "", 1, "UTC"))  # fmt: skip
    assert [row.notice.user for row in journal.outbox.notices()] == [speaker]
    journal.close()
