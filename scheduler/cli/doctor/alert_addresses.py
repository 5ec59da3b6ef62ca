"""The addresses that jobs alert: files of `@name` and what Apprise knows in, what is wrong out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.alerts import apprise_address
from scheduler.alerts.addresses import addresses_of
from scheduler.alerts.channel import NotSent
from scheduler.cli.doctor.diagnosis import Diagnosis, fine, problem
from scheduler.notice import Channel, channel_of
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.cli.doctor.facts import MachineFacts

_SERVICES = "https://appriseit.com/services/ has the forms of addresses"


def known(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield each target that a failure would not reach, with a job that has it; nothing is sent."""
    jobs: dict[str, str] = {}
    for entry in facts.loaded.entries:
        rule = entry.settings.alert
        for target in () if rule is None else rule.targets:
            jobs.setdefault(target, entry.job)
    wanted = {target: job for target, job in jobs.items() if channel_of(target) is Channel.PUSH}
    bad = [each for target, job in wanted.items() for each in _wrong(facts, target, job)]
    yield from bad
    if wanted and not bad:
        yield fine(f"{counted(len(wanted), 'target')} of alerts can be read, and have a known form")


def _wrong(facts: MachineFacts, target: str, job: str) -> Iterator[Diagnosis]:
    try:
        addresses = addresses_of(target, facts.paths.config)
    except NotSent as error:
        yield problem(f"{job} alerts {target}, which reaches nobody: {error}", "see docs/alerts.md")
        return
    for address in addresses if apprise_address.HAVE_APPRISE else ():
        if channel_of(address) is Channel.PUSH and not apprise_address.is_known(address):
            where = f" of {target}" if target.startswith("@") else ""
            shown = f"{apprise_address.shown(address)}{where}"
            yield problem(f"{job} alerts {shown}, an address that Apprise does not know", _SERVICES)
