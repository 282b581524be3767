"""Which addresses a report may go to. What a name stands for is known when it is connected to."""

import functools
import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from eventflow.errors import UplinkError

_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")


def guard_of(url: str, *, allow_http: bool) -> Callable[[str], None]:
    """What checks each address before it is connected to; it raises UplinkError.

    Args:
        allow_http: Whether http may go to another machine than this one.
    """
    plain = urlsplit(url).scheme == "http"
    return functools.partial(_check, only_here=plain and not allow_http)


def _check(text: str, *, only_here: bool) -> None:
    """Refuse addresses that no platform has, and plain http that would leave this machine."""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return
    nowhere = address.is_unspecified or address in _THIS_NETWORK
    if address.is_link_local or address.is_multicast or nowhere:
        raise UplinkError(f"address {text} is not one of a platform; nothing was sent")
    if only_here:
        raise UplinkError(
            f"http to {text} would leave this machine in clear; use https, or allow_http=True"
        )
