"""Sending one request as Odoo would, and following it to its end."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import JsonValue
from temporalio.client import Client, WorkflowExecutionStatus

from contracts.dialects.endpoint import EndpointDialect
from contracts.requests import ImageGenerationResult, StoredImage
from operations.caller_credentials import caller_headers, caller_query
from runtime.blobs import image_key, open_store
from runtime.secrets import references, resolve
from runtime.settings import RouteSettings, Settings
from starter.api.executions import RequestState, find_request

POST_S = 30.0
"""Seconds the starter has for its answer."""
_POLL_S = 0.2
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_NAME_LENGTH = 100


class SendError(Exception):
    """The request was not acknowledged, or its image cannot be saved. The message is one line."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The starter's answer."""

    content: JsonValue
    seconds: float


def chosen_route(settings: Settings, name: str | None, url: str | None) -> tuple[str, RouteSettings]:
    """The named route, else the one whose path the URL has, else the first; raises `SendError`."""
    if not settings.routes:
        raise SendError("no route is configured: add a [routes.NAME], or name a file with --config")
    if name is not None and name not in settings.routes:
        raise SendError(f"there is no route {name!r}; configured: {', '.join(sorted(settings.routes))}")
    path = urlsplit(url or "").path.partition("/webhook/")[2]
    by_path = (key for key, route in settings.routes.items() if path and route.path.strip("/") == path)
    chosen = name or next(by_path, next(iter(settings.routes)))
    return chosen, settings.routes[chosen]


def webhook_url(settings: Settings, route: RouteSettings) -> str:
    """Where the starter takes this route's requests."""
    below = f"{route.webhook_id}/" if route.webhook_id else ""
    return f"{settings.starter.public_base_url}/webhook/{below}{route.path.strip('/')}"


def way_back(settings: Settings, route: RouteSettings) -> dict[str, Any]:
    """What the bodies of dialect `endpoint` must say of the callback; raises `SendError`, `SecretMissingError`."""
    if route.record is not None:
        raise SendError("this route takes webhooks of Odoo itself, which name a record: change that record in Odoo")
    if route.dialect != EndpointDialect.name:
        return {}
    token = resolve(references(route.security_token)[0]) if route.security_token else None
    return {"callback_url": f"{settings.odoos[route.odoo].base_url}{route.callback.path}", "security_token": token}


async def post(url: str, route: RouteSettings, body: dict[str, JsonValue]) -> Acknowledgement:
    """Post a body with the route's credentials; raises `SendError`, `SecretMissingError`."""
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **caller_headers(route.auth, content)}
    query = caller_query(route.auth) or None
    begun = asyncio.get_running_loop().time()
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=POST_S) as http:
            answer = await http.request(_method(route), url, params=query, content=content, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SendError(f"{url} cannot be reached ({str(error) or type(error).__name__}): is the starter up?") from None
    if not answer.is_success:
        raise SendError(f"refused with HTTP {answer.status_code}: {' '.join(answer.text.split())[:300]}")
    return Acknowledgement(_content(answer), asyncio.get_running_loop().time() - begun)


def _method(route: RouteSettings) -> str:
    with_body = (method for method in route.methods if method not in {"GET", "HEAD"})
    return next(with_body, route.methods[0])


async def follow(client: Client, settings: Settings, request_id: str, route: str, wait_s: float) -> RequestState:
    """The state of a request once it has ended or is parked, or after `wait_s` seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + wait_s
    while True:
        state = await find_request(client, settings, request_id, route)
        if not state.open or state.parked or loop.time() >= end:
            return state
        await asyncio.sleep(_POLL_S)


async def result_of(client: Client, state: RequestState) -> ImageGenerationResult | None:
    """How a request ended; None where it has not ended by itself, or has expired."""
    if state.status != WorkflowExecutionStatus.COMPLETED.name:
        return None
    handle = client.get_workflow_handle(state.workflow_id, run_id=state.run_id, result_type=ImageGenerationResult)
    result: ImageGenerationResult = await handle.result()
    return result


async def save(settings: Settings, image: StoredImage, file: Path) -> None:
    """Copy an image from the store to a file; raises `SendError`, `OSError`."""
    data = await open_store(settings.store).read(image_key(image.sha256))
    if data is None:
        raise SendError(f"the image {image.sha256} is not in {settings.store.place}: is that the worker's store?")
    await asyncio.to_thread(file.write_bytes, data)


def file_names(request_id: str, images: tuple[StoredImage, ...], out: Path | None) -> list[Path]:
    """A file for each image: the first is `out`, or the request id with the image type's extension."""
    name = _UNSAFE.sub("_", request_id)[:_NAME_LENGTH].lstrip(".") or "image"
    files = [out or Path(f"{name}.{image.media_type.partition('/')[2]}") for image in images]
    return [file if n == 1 else file.with_stem(f"{file.stem}-{n}") for n, file in enumerate(files, start=1)]


def _content(answer: httpx.Response) -> JsonValue:
    try:
        content: JsonValue = answer.json()
    except ValueError:
        return answer.text
    return content
