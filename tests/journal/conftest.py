"""One journal in memory for whoever asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def journal() -> Iterator[Journal]:
    journal = Journal.in_memory()
    yield journal
    journal.close()
