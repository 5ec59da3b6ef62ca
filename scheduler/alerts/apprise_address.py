"""One address that Apprise knows, and a message in; NotSent with the reason where it is not sent.

Apprise (https://appriseit.com) is the extra `alerts`, so it need not be there. Why something was
not sent stands in what it logs; an address is a secret, so that is masked.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from scheduler import own_secrets, redact
from scheduler.alerts.channel import NotSent
from scheduler.notice import Kind
from scheduler.printable import clean
from scheduler.system.background import within

try:
    import apprise
except ModuleNotFoundError:
    HAVE_APPRISE = False
else:
    HAVE_APPRISE = True
    # What it logs is in its results, and need not be on standard error too.
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("apprise").setLevel(logging.DEBUG)  # which alone tells what went wrong
    logging.getLogger("apprise").propagate = False

if TYPE_CHECKING:
    from scheduler.alerts.wording import Message

ADDRESS_SECONDS = 30.0  # for one address; a service may take several requests
_MOST_REASON = 300  # characters
_MISSING = (
    "Apprise is not installed, which sends to such addresses; "
    "make install EXTRAS=alerts, or pip install 'meridian-cron[alerts]'"
)
_ADDRESS_PART = re.compile(
    rf"[^/?&@:=#]{{{own_secrets.SHORTEST_SECRET},}}"
)  # the first is the scheme
# What says that a service has not got it: it answered with a status, or there was no connection.
_SURELY_NOT = re.compile(r"error=[1-9]|NewConnection|ConnectTimeout|NameResolution|SSLError|ProxyE")
_ERROR_DETAILS = "Socket Exception"  # of what is said for debugging; the rest has our own text
_APPRISE_TYPES = {Kind.FAILURE: "failure", Kind.RECOVERY: "success"}


def send(address: str, message: Message, kind: Kind) -> None:
    """Send a message; NotSent, for good, where there is no Apprise, or it knows no such address."""
    if not HAVE_APPRISE:
        raise NotSent(_MISSING, permanent=True)
    try:
        within(ADDRESS_SECONDS, lambda: _send(address, message, kind), "the service")
    except TimeoutError:
        why = f"{shown(address)} did not answer in {ADDRESS_SECONDS:g} s"
        raise NotSent(why, is_unsure=True) from None


def load() -> None:
    """Load all that is known of services; else that is done when the first one is asked for."""
    if HAVE_APPRISE:
        apprise.Apprise.instantiate("json://localhost", asset=_asset())


def is_known(address: str) -> bool:
    """Say whether Apprise, which has to be there, knows an address of this form; nobody is told."""
    return apprise.Apprise.instantiate(address, asset=_asset()) is not None


def shown(address: str) -> str:
    """Return an address as errors name it: only the scheme is no secret."""
    return f"{address.partition('://')[0]}://…"


def _send(address: str, message: Message, kind: Kind) -> None:
    service = apprise.Apprise.instantiate(address, asset=_asset())
    if service is None:
        why = "Apprise knows no address of this form; see https://appriseit.com/services/"
        raise NotSent(f"{shown(address)}: {why}", permanent=True)
    if "overflow=" not in address:  # what is too long would be refused
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    one = apprise.Apprise(asset=_asset())
    one.add(service)
    told = one.notify(
        body=message.text,
        title=message.subject,
        notify_type=_APPRISE_TYPES.get(kind, "warning"),
        body_format=apprise.NotifyFormat.TEXT,
        log_level=logging.DEBUG,
    )
    if not told:
        logs = list(told.logs())
        said = " ".join(entry.message for entry in logs if entry.level != "DEBUG")
        errors = (entry.message for entry in logs if entry.message.startswith(_ERROR_DETAILS))
        is_unsure = not _SURELY_NOT.search(" ".join((said, *errors)))
        raise NotSent(f"{shown(address)}: {_reason(said, address)}", is_unsure=is_unsure)


def _asset() -> apprise.AppriseAsset:
    """Return how Apprise is to work: in this thread, since its own would be waited for at exit."""
    return apprise.AppriseAsset(
        app_id="Meridian", app_desc="Meridian", app_url="", async_mode=False, service_timeout=0
    )


def _reason(said: str, address: str) -> str:
    """Return what was said, in one line, without any part of the address that may be its key."""
    text = redact.mask(redact.mask_addresses(clean(said)))
    keys = {
        part for each in (address, unquote(address)) for part in _ADDRESS_PART.findall(each)[1:]
    }
    for key in sorted(keys, key=len, reverse=True):
        text = text.replace(key, redact.MASK)
    return text[:_MOST_REASON] or "it was not taken"
