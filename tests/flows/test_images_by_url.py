"""An image that travels as a signed URL can be fetched by it, and by nothing else."""

from __future__ import annotations

import re

import httpx
import pytest

from contracts.identity import sha256_hex
from operations.demo.configuration import DemoRoute
from tests.flows.site import Asked, Site

ANOTHER = "0" * 64


async def delivered_url(site: Site, asked: Asked) -> str:
    """The URL in the callback that Odoo got."""
    await asked.result()
    (body,) = [post.body.decode() for post in site.recorder.received if asked.request_id in post.body.decode()]
    (url,) = re.findall(r'"(http[^"]+/images/[^"]+)"', body)
    assert "base64" not in body
    return str(url)


async def test_the_image_can_be_fetched(site: Site, route: DemoRoute) -> None:
    asked = await site.ask(route, by_url=True)
    answer = await site.front.get(await delivered_url(site, asked))
    result = await asked.result()
    assert result.generated is not None
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert sha256_hex(answer.content) == result.generated.images[0].sha256


async def test_a_changed_url_is_refused(site: Site, route: DemoRoute) -> None:
    url = httpx.URL(await delivered_url(site, await site.ask(route, by_url=True)))
    signature = url.params["signature"]
    changed = [
        url.copy_set_param("expires", str(int(url.params["expires"]) + 1)),
        url.copy_set_param("signature", signature[::-1]),
        url.copy_remove_param("signature"),
        url.copy_with(path=f"/images/{ANOTHER}"),
    ]
    assert [(await site.front.get(one)).status_code for one in changed] == [403, 403, 403, 403]


@pytest.mark.parametrize("path", ["/images/", "/images/..%2f..%2fsecrets%2fsigning"])
async def test_nothing_else_is_served(site: Site, path: str) -> None:
    assert (await site.front.get(path)).status_code in {403, 404}
