"""Which addresses pictures are fetched from: public ones, spelt plainly, on the ports of the web.

A server that fetches what strangers name must not become their way into its own network. So an address is
judged twice: as it is written, here, and by the number that its name stands for, in `refusal`, each time
just before that very number is connected to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, quote, urlsplit

from genlock.errors import BadAddress

IP = IPv4Address | IPv6Address
LONGEST = 2000  # characters
PORTS = {"http": (80, 8080), "https": (443, 8443)}
_ANY_PORT = {port for ports in PORTS.values() for port in ports}
_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_INSIDE = ("localhost", "local", "internal", "lan", "intranet", "home.arpa")
_SAFE = "!$&'()*+,;=:@/~-._%"  # of a path or query that is passed on as it is
# Answered by clouds with keys and passwords, at a number that looks public.
_METADATA = {ip_address("168.63.129.16")}
_SPECIAL_4 = (ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"))  # for protocols, and relays
_PUBLIC_6 = IPv6Network("2000::/3")
# Numbers that stand for an IPv4 address behind a gateway, and those that are not for the open network.
_SPECIAL_6 = tuple(
    IPv6Network(net)
    for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "64:ff9b::/96", "64:ff9b:1::/48")
)


@dataclass(frozen=True, slots=True)
class Address:
    """An address in its parts. `host` is ASCII in small letters, without the brackets of an IPv6 number."""

    scheme: str
    host: str
    port: int
    target: str
    number: IP | None = None

    @property
    def authority(self) -> str:
        """Host and port as they are written in an address and in a `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme][0] else f"{host}:{self.port}"

    @property
    def bare(self) -> str:
        """The address without its query, which often has a signature or a key in it."""
        return f"{self.scheme}://{self.authority}{self.target.partition('?')[0]}"


class Allowed:
    """Hosts fetched from although they are not public: `host` on the ports of the web, or `host:port`."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._entries = frozenset(entry.strip().lower() for entry in entries if entry.strip())

    def covers(self, address: Address) -> bool:
        """Whether somebody who runs this server has allowed it."""
        host = f"[{address.host}]" if ":" in address.host else address.host
        return f"{host}:{address.port}" in self._entries or (
            host in self._entries and address.port in _ANY_PORT
        )


def read_address(url: str, allowed: Allowed) -> Address:
    """An address that may be fetched from, by how it is written. `BadAddress` says why one may not."""
    if len(url) > LONGEST:
        raise BadAddress(f"an address has at most {LONGEST} characters, not {len(url)}")
    if any(each <= " " or each in "\\\x7f" for each in url):
        raise BadAddress("the address has blanks, control characters or backslashes in it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"the address cannot be read: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in PORTS:
        raise BadAddress(f"pictures are fetched by http and https, not by {scheme[:20] or 'nothing'}")
    if "@" in parts.netloc:
        raise BadAddress("the address has a user or a password in it: give one that needs none")
    host, number = _host(parts)
    address = Address(scheme, host, port or PORTS[scheme][0], _target(parts), number)
    if port == 0:
        raise BadAddress("port 0 is no port")
    if not allowed.covers(address):
        _demand_public(address)
    return address


def _demand_public(address: Address) -> None:
    if address.port not in _ANY_PORT:
        ports = ", ".join(str(port) for port in sorted(_ANY_PORT))
        raise BadAddress(f"pictures are fetched from the ports {ports}, not from {address.port}")
    if address.number is None:
        if "." not in address.host or address.host.endswith(tuple(f".{zone}" for zone in _INSIDE)):
            raise BadAddress(f"{address.host} is a name inside a network of its own, not a public one")
    elif why := refusal(address.number):
        raise BadAddress(f"{address.host} is {why}: pictures are fetched from public addresses only")


def _host(parts: SplitResult) -> tuple[str, IP | None]:
    written = parts.hostname or ""
    if "[" in parts.netloc:
        try:
            number = IPv6Address(written)
        except ValueError as error:
            raise BadAddress(f"[{written[:60]}] is no IPv6 address") from error
        if number.scope_id is not None:
            raise BadAddress("an address with a zone is one of this machine's own network")
        return number.compressed, number
    try:
        host = written.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise BadAddress(f"{written[:60]!r} is no host name") from error
    if not _NAME.fullmatch(host):
        raise BadAddress(f"{written[:60]!r} is no host name")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return host, _plain_number(host)
    return host, None


def _plain_number(host: str) -> IPv4Address:
    """Only as four decimal numbers: every other spelling is there to be misread by somebody."""
    try:
        return IPv4Address(host)
    except ValueError as error:
        raise BadAddress(
            f"{host} is a number in disguise: write an IPv4 address as four decimal numbers"
        ) from error


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_SAFE)
    return f"{path}?{quote(parts.query, safe=_SAFE + '?')}" if parts.query else path


def refusal(number: IP) -> str | None:
    """Why nothing is fetched from this number, in words; None if it is on the open network."""
    if number in _METADATA:
        return "where a cloud tells its machines their secrets"
    if isinstance(number, IPv6Address):
        return _refusal_6(number)
    kinds = (
        (number.is_unspecified, "no address at all"),
        (number.is_loopback, "this machine itself"),
        (number.is_link_local, "a link-local address, where clouds tell machines their secrets"),
        (number.is_multicast, "a multicast address"),
        (number.is_private, "a private address"),
        (number.is_reserved, "a reserved address"),
        (not number.is_global, "an address that is not on the open network"),
        (any(number in net for net in _SPECIAL_4), "an address for the network's own use"),
    )
    return next((words for found, words in kinds if found), None)


def _refusal_6(number: IPv6Address) -> str | None:
    if number.ipv4_mapped is not None:
        return "an IPv4 address written as an IPv6 one"
    kinds = (
        (number.is_unspecified, "no address at all"),
        (number.is_loopback, "this machine itself"),
        (number.is_link_local, "a link-local address"),
        (number.is_multicast, "a multicast address"),
        (any(number in net for net in _SPECIAL_6), "an address behind a gateway, or for documents"),
        (number not in _PUBLIC_6 or not number.is_global, "an address that is not on the open network"),
    )
    return next((words for found, words in kinds if found), None)
