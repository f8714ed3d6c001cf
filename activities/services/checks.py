"""Whether a configured service can be reached and takes our credentials, asked in ways that cost nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from activities.services.base import Call, ServiceError
from activities.services.bfl import BflService
from activities.services.client import Outgoing, ServiceClient
from activities.services.comfyui_workflow import WorkflowError, patched, read_workflow
from activities.services.http_errors import Reply
from activities.services.refusals import Phase
from contracts.capabilities import Kind
from contracts.errors import Failure, FailureClass
from contracts.identity import traceparent
from contracts.json_body import parse_json
from contracts.requests import ImageRequest
from runtime.settings import ServiceSettings

CHECK_S = 15.0
"""Seconds that a check takes at most."""

_PROBES: Mapping[Kind, str | None] = MappingProxyType(
    {
        "openai": "/v1/models",
        "flux_lora": None,
        "fal": None,
        "replicate": "/v1/account",
        "bfl": "/v1/credits",
        "stability": "/v1/user/balance",
        "comfyui": "/system_stats",
        "a1111": "/sdapi/v1/sd-models",
        "gemini": "/v1beta/models",
        "together": "/v1/models",
    }
)
"""What each kind answers for nothing, and only to who may call it; None = there is nothing of the sort."""
_STATUSES: Mapping[Kind, Mapping[int, FailureClass]] = MappingProxyType({"bfl": BflService.statuses})
"""The HTTP statuses that mean something else at a kind than elsewhere."""
_VERSION = re.compile(r"/v\d\w*$")
_NOT_THERE = frozenset({404, 405, 501})


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. `remedy` is there exactly when something is wrong."""

    service: str
    kind: Kind
    said: str
    remedy: str | None = None

    @property
    def usable(self) -> bool:
        """Whether nothing speaks against the service."""
        return self.remedy is None


async def check(name: str, settings: ServiceSettings) -> Checked:
    """Ask a service for what costs nothing, and look at what is needed to call it. Never raises for what it answers."""
    client = ServiceClient(name, settings, statuses=_STATUSES.get(settings.kind))
    try:
        if settings.kind == "comfyui":
            patched(read_workflow(settings.workflow_file), settings.patches, {})
        return await _check(name, settings, client)
    except WorkflowError as error:
        remedy = "Correct the service's workflow_file or patches setting."
        return Checked(name, settings.kind, str(error), remedy)
    except ServiceError as error:
        return _wrong(name, settings, error.failure)
    finally:
        await client.aclose()


async def _check(name: str, settings: ServiceSettings, client: ServiceClient) -> Checked:
    path = _PROBES[settings.kind]
    url = f"{settings.base_url}/" if path is None else _below(settings.base_url, path)
    reply = await client.ask(Outgoing(method="GET", url=url, phase=Phase.POLL), _call(name))
    if path is None and reply.status < 500:  # noqa: PLR2004 - the classes of HTTP statuses
        return Checked(name, settings.kind, f"{_reached(reply)}; only a paid call could check the credentials")
    if reply.status in _NOT_THERE:
        return Checked(name, settings.kind, f"{_reached(reply)}, but has no {path}: the credentials are not checked")
    if not 200 <= reply.status < 300:  # noqa: PLR2004 - the classes of HTTP statuses
        return _wrong(name, settings, client.refusal(reply, Phase.POLL).failure)
    if parse_json(reply.body) is None:
        remedy = "Correct the service's base_url setting: something else than the service answers there."
        return Checked(name, settings.kind, f"GET {path} answers, but not in JSON", remedy)
    return Checked(name, settings.kind, f"GET {path} answers: the service is there and takes the credentials")


def _below(base_url: str, path: str) -> str:
    """The probe's URL; a base_url may end in a version, which then counts."""
    version, _, rest = path.removeprefix("/").partition("/")
    versioned = _VERSION.search(base_url) and _VERSION.search(f"/{version}")
    return f"{base_url}/{rest}" if versioned else f"{base_url}{path}"


def _reached(reply: Reply) -> str:
    return f"the service is there (HTTP {reply.status})"


def _wrong(name: str, settings: ServiceSettings, failure: Failure) -> Checked:
    return Checked(name, settings.kind, failure.message, failure.rule.remedy)


def _call(name: str) -> Call:
    return Call(
        request=ImageRequest(prompt=""),
        correlation_id=f"check-{name}",
        traceparent=traceparent(None, f"check/{name}"),
        timeout_s=CHECK_S,
    )
