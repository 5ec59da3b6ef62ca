"""The channel of addresses that Apprise knows, and of `@name`: deliveries in, each address told.

The addresses of a file are told side by side, each by its own channel, and each for itself: one
that fails is tried again alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import TYPE_CHECKING

from scheduler.alerts import apprise_address, command, desktop, mail, message_origin, wording
from scheduler.alerts.addresses import addresses_of
from scheduler.alerts.channel import NotSent
from scheduler.alerts.told_addresses import ToldAddresses, hashed
from scheduler.notice import Channel, Result, channel_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scheduler.alerts.channel import Place, Send
    from scheduler.notice import Delivery

# An address of a file may be of another channel; this one has all others, an Apprise's.
_OTHER_CHANNELS: Mapping[Channel, Send] = {
    Channel.COMMAND: command.send,
    Channel.DESKTOP: desktop.send,
    Channel.MAIL: mail.send,
}


def send(deliveries: Sequence[Delivery], place: Place) -> Iterator[Result]:
    """Tell the addresses of each delivery, one delivery after the other; see `channel.Send`."""
    told = ToldAddresses(place.memory or place.state)
    for delivery in deliveries:
        try:
            addresses = addresses_of(delivery.target, place.config)
        except NotSent as error:
            yield error.result(delivery.number)
            continue
        yield _result(delivery, addresses, told, place)


def _result(
    delivery: Delivery, addresses: Sequence[str], told: ToldAddresses, place: Place
) -> Result:
    """Tell those that have not heard it; the result is permanent if another try helps none."""
    before = told.of(delivery) if len(addresses) > 1 else frozenset()
    left = [address for address in addresses if hashed(address) not in before]
    errors: list[NotSent] = []
    with ThreadPoolExecutor(len(left) or 1) as pool:
        asked = {pool.submit(_error, delivery, address, place): address for address in left}
        for done in as_completed(asked):
            error = done.result()
            if error is not None:
                errors.append(error)
            elif len(addresses) > 1:
                told.add(delivery, asked[done])
    is_over = all(error.permanent for error in errors)
    if is_over and len(addresses) > 1:
        told.forget(delivery)
    return Result(
        delivery.number,
        _words(errors, len(addresses)),
        permanent=is_over and bool(errors),
        is_unsure=any(error.is_unsure for error in errors),
    )


def _error(delivery: Delivery, address: str, place: Place) -> NotSent | None:
    """Tell one address; return why it was not told, None if it was."""
    other = _OTHER_CHANNELS.get(channel_of(address))
    try:
        if other is None:
            message = wording.message(delivery, message_origin.of_place(place))
            apprise_address.send(address, message, delivery.notices[0].kind)
            return None
        [result] = other([replace(delivery, target=address)], place)
    except NotSent as error:
        return error
    if not result.error:
        return None
    return NotSent(result.error, permanent=result.permanent, is_unsure=result.is_unsure)


def _words(errors: Sequence[NotSent], number: int) -> str:
    whole = "; ".join(sorted(map(str, errors)))
    return f"{len(errors)} of {number} addresses: {whole}" if errors and number > 1 else whole
