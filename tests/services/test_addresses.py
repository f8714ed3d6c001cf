from __future__ import annotations

import pytest

from activities.services.addresses import host_matches, is_public


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "64:ff9b::7f00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("host", "patterns", "allowed"),
    [
        ("cdn.example", ("cdn.example",), True),
        ("CDN.example.", ("cdn.EXAMPLE",), True),
        ("a.cdn.example", ("cdn.example",), False),
        ("a.cdn.example", ("*.cdn.example",), True),
        ("a.b.cdn.example", ("*.cdn.example",), True),
        ("cdn.example", ("*.cdn.example",), False),
        ("evilcdn.example", ("*.cdn.example",), False),
        ("cdn.example.evil", ("*.cdn.example", "cdn.example"), False),
        ("cdn.example", (), False),
        ("other", ("a", "other"), True),
    ],
)
def test_host_matches(host: str, patterns: tuple[str, ...], allowed: bool) -> None:
    assert host_matches(host, patterns) is allowed
