"""Which addresses pictures are fetched from, by how they are written and by what they stand for."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from genlock.errors import BadAddress
from genlock.library.address import Allowed, read_address, refusal

NOBODY = Allowed()
INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",  # metadata of a cloud
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # metadata of a cloud, at a public number
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata of a cloud
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = [
    "8.8.8.8",
    "1.1.1.1",
    "172.32.0.1",
    "100.128.0.1",
    "93.184.216.34",
    "2606:4700::1111",
    "2a00:1450::1",
]


@pytest.mark.parametrize("number", INSIDE)
def test_nothing_is_fetched_from_a_number_that_is_not_on_the_open_network(number: str) -> None:
    assert refusal(ip_address(number))
    host = f"[{number}]" if ":" in number else number
    with pytest.raises(BadAddress):
        read_address(f"http://{host}/x.jpg", NOBODY)


@pytest.mark.parametrize("number", OUTSIDE)
def test_numbers_of_the_open_network_are_fetched_from(number: str) -> None:
    assert refusal(ip_address(number)) is None
    host = f"[{number}]" if ":" in number else number
    assert read_address(f"https://{host}/x.jpg", NOBODY).number == ip_address(number)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not by nothing"),
        ("x.jpg", "not by nothing"),
        ("//images.example/x.jpg", "not by nothing"),
        ("ftp://images.example/x.jpg", "not by ftp"),
        ("file:///etc/passwd", "not by file"),
        ("gopher://images.example:80/", "not by gopher"),
        ("data:image/png;base64,AAAA", "not by data"),
        ("javascript:alert(1)", "not by javascript"),
        ("http://", "no host name"),
        ("http:///x.jpg", "no host name"),
        ("http://?x", "no host name"),
        ("http://ann@images.example/", "user or a password"),
        ("http://ann:secret@images.example/", "user or a password"),
        ("http://images.example@127.0.0.1/", "user or a password"),
        ("http://images.example:22/", "ports"),
        ("http://images.example:6379/", "ports"),
        ("http://images.example:0/", "port"),
        ("http://images.example:99999/", "cannot be read"),
        ("http://images.example:x/", "cannot be read"),
        ("http://localhost/", "name inside"),
        ("http://localhost./", "name inside"),
        ("http://LOCALHOST:8080/", "name inside"),
        ("http://printer/", "name inside"),
        ("http://printer.local/", "name inside"),
        ("http://db.internal/", "name inside"),
        ("http://metadata.google.internal/computeMetadata/v1/", "name inside"),
        ("http://a.localhost/", "name inside"),
        ("http://router.home.arpa/", "name inside"),
        ("http://2130706433/", "number in disguise"),
        ("http://017700000001/", "number in disguise"),
        ("http://0x7f000001/", "number in disguise"),
        ("http://0x7f.1/", "number in disguise"),
        ("http://127.1/", "number in disguise"),
        ("http://127.0.1/", "number in disguise"),
        ("http://0177.0.0.1/", "number in disguise"),
        ("http://127.0.0.01/", "number in disguise"),
        ("http://1.2.3.4.5/", "number in disguise"),
        ("http://256.1.1.1/", "number in disguise"),
        ("http://images.example.0x7f/", "number in disguise"),
        ("http://１２７.0.0.1/", "this machine itself"),
        ("http://127。0。0。1/", "this machine itself"),
        ("http://127.0.0.1./", "this machine itself"),
        ("http://ⓛocalhost/", "name inside"),
        ("http://[::1]/", "this machine itself"),
        ("http://[0:0:0:0:0:0:0:1]/", "this machine itself"),
        ("http://[::ffff:7f00:1]/", "written as an IPv6"),
        ("http://[fe80::1%25eth0]/", "zone"),
        ("http://[::1/", "cannot be read"),
        ("http://[nonsense]/", "cannot be read|no IPv6"),
        ("http://[v1.x]/", "cannot be read|no IPv6"),
        ("http://images%2eexample/", "no host name"),
        ("http://images_.example-/", "no host name"),
        ("http://-images.example/", "no host name"),
        ("http://images..example/", "no host name"),
        ("http://" + "a" * 64 + ".example/", "no host name"),
        ("http://" + "a." * 130 + "example/", "no host name"),
        ("http://images.example/a b.jpg", "blanks"),
        ("http://images.example/\nHost: x", "blanks"),
        ("http://images.example\\@127.0.0.1/", "backslashes"),
        ("http://images.example/\0", "blanks"),
        (" http://images.example/", "blanks"),
        ("http://images.example/" + "x" * 2000, "at most 2000"),
    ],
)
def test_an_address_that_is_not_a_plain_public_one_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(BadAddress, match=reason):
        read_address(url, NOBODY)


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("http://Images.Example/a.jpg", "images.example", "/a.jpg"),
        ("HTTPS://images.example:443/", "images.example", "/"),
        ("https://images.example:8443?x=1&y=ü", "images.example:8443", "/?x=1&y=%C3%BC"),
        ("http://images.example:8080/a/../ß%20b.jpg#top", "images.example:8080", "/a/../%C3%9F%20b.jpg"),
        ("http://bücher.example/", "xn--bcher-kva.example", "/"),
        ("http://images.example./a", "images.example", "/a"),
        ("http://[2606:4700:0::1111]:80/a", "[2606:4700::1111]", "/a"),
    ],
)
def test_a_public_address_is_read_in_its_parts(url: str, authority: str, target: str) -> None:
    address = read_address(url, NOBODY)
    assert (address.authority, address.target) == (authority, target)


def test_the_query_is_not_kept_with_an_address() -> None:
    assert (
        read_address("https://images.example/a.jpg?key=secret", NOBODY).bare == "https://images.example/a.jpg"
    )


def test_hosts_that_are_allowed_are_fetched_from_on_their_ports() -> None:
    allowed = Allowed(["printer.local", " 10.0.0.7:9000", "[::1]:8080", ""])
    for url in (
        "http://printer.local/",
        "https://PRINTER.local:8443/",
        "http://10.0.0.7:9000/",
        "http://[::1]:8080/",
    ):
        assert allowed.covers(read_address(url, allowed))
    for url in ("http://printer.local:22/", "http://10.0.0.7/", "http://10.0.0.8:9000/", "http://[::1]/"):
        with pytest.raises(BadAddress):
            read_address(url, allowed)
