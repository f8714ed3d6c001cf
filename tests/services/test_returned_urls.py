from __future__ import annotations

import pytest

from activities.services.base import ServiceError
from activities.services.fal import FalService
from activities.services.returned_urls import ReturnedUrls
from contracts.errors import FailureClass

PUBLIC = ("fal.run", "*.fal.run")


@pytest.mark.parametrize(
    ("base", "returned", "asked"),
    [
        ("https://queue.fal.run", "https://queue.fal.run/a/b?logs=1", "https://queue.fal.run/a/b?logs=1"),
        ("https://queue.fal.run", "https://eu.QUEUE.fal.run:443/a", "https://eu.QUEUE.fal.run:443/a"),
        ("http://127.0.0.1:4010/fal", "https://queue.fal.run/a/b", "http://127.0.0.1:4010/fal/a/b"),
        ("http://127.0.0.1:4010/fal", "http://127.0.0.1:4010/fal/a", "http://127.0.0.1:4010/fal/a"),
        ("https://proxy.example/v1", "https://queue.fal.run/v1/a?b=c#d", "https://proxy.example/v1/a?b=c"),
        ("https://proxy.example", "http://169.254.169.254/latest", "https://proxy.example/latest"),
        ("https://proxy.example", "https://queue.fal.run", "https://proxy.example"),
    ],
)
def test_followed(base: str, returned: str, asked: str) -> None:
    assert ReturnedUrls("svc", base, PUBLIC).checked(returned) == asked


@pytest.mark.parametrize(
    "returned",
    [
        "https://evil.example/a",
        "https://queue.fal.run.evil.example/a",
        "https://evilfal.run/a",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/a",
        "https://[::1]/a",
        "http://queue.fal.run/a",
        "https://queue.fal.run:8443/a",
    ],
)
def test_the_public_host_leads_nowhere_else(returned: str) -> None:
    with pytest.raises(ServiceError) as caught:
        ReturnedUrls("svc", "https://queue.fal.run", PUBLIC).checked(returned)
    assert caught.value.failure.failure is FailureClass.PROTOCOL_ERROR


@pytest.mark.parametrize("base", ["https://queue.fal.run", "http://127.0.0.1:4010"])
@pytest.mark.parametrize(
    "returned",
    [
        "",
        "a/b",
        "/a/b",
        "file:///etc/passwd",
        "ftp://queue.fal.run/a",
        "https:///a",
        "https://queue.fal.run:0/a",
        "https://queue.fal.run:99999/a",
        "https://[::1/a",
        "https://key@queue.fal.run/a",
        "https://queue.fal.run/a b",
        "https://queue.fal.run\\@evil.example/",
        "https://queue.fal.run/a\r\nX: y",
        "https://queue.fal.run/ü",
        "https://queue.fal.run/" + "a" * 3000,
    ],
)
def test_what_is_no_url(base: str, returned: str) -> None:
    with pytest.raises(ServiceError) as caught:
        ReturnedUrls("svc", base, PUBLIC).checked(returned)
    assert caught.value.failure.failure is FailureClass.PROTOCOL_ERROR
    assert "key@" not in caught.value.failure.message


def test_a_host_is_the_services_own_or_a_proxy() -> None:
    assert not ReturnedUrls("svc", "https://queue.fal.run", PUBLIC).behind_proxy
    assert ReturnedUrls("svc", "https://proxy.example", PUBLIC).behind_proxy


@pytest.mark.parametrize("base", ["https://queue.fal.run", "https://queue.falrun.com"])
def test_both_of_fals_domains_are_its_own(base: str) -> None:
    urls = ReturnedUrls("svc", base, FalService.public_hosts)
    assert not urls.behind_proxy
    for host in ("queue.fal.run", "queue.falrun.com"):
        assert urls.checked(f"https://{host}/a") == f"https://{host}/a"
    with pytest.raises(ServiceError):
        urls.checked("https://evilfalrun.com/a")
