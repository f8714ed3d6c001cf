"""A route whose callbacks are signed takes the old system's only if they are signed in the same way."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook
from temporalio.client import Client

from starter.shadow.journal import ShadowJournal
from tests.starter.front import Front, make_settings, running_starter

SIGNING = "whsec_" + base64.b64encode(b"made-up-shadow-signing-secret").decode()
OTHER = base64.b64encode(b"nobody-has-told-us-this-one").decode()
BODY = json.dumps({"requestId": "r-1", "status": "failed", "errorCode": "X"}).encode()


@pytest.fixture
async def front(tmp_path: Path, temporal_client: Client) -> AsyncIterator[Front]:
    (tmp_path / "sign").write_text(SIGNING, encoding="utf-8")
    route = {
        "path": "copied",
        "dialect": "event",
        "odoo": "main",
        "services": ["main"],
        "shadow": "http://127.0.0.1:9/webhook/old",
        "callback": {"path": "/done", "auth": {"kind": "signature", "secret": f"file:{tmp_path / 'sign'}"}},
    }
    async with running_starter(make_settings(tmp_path, routes={"copied": route}), temporal_client) as running:
        yield running


async def told(front: Front, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return await front.http.post("/shadow/copied/callback", content=body, headers=headers)


def signed(secret: str) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(secret).sign("m-1", now, BODY.decode())
    return {"webhook-id": "m-1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


async def test_only_a_signed_callback_is_taken(front: Front) -> None:
    refused = [await told(front, BODY, {}), await told(front, BODY, signed(OTHER))]
    refused.append(await told(front, BODY + b" ", signed(SIGNING)))
    journal = ShadowJournal(front.settings.store.path)
    assert [answer.status_code for answer in refused] == [401, 403, 403]
    assert list(journal.records()) == []
    assert (await told(front, BODY, signed(SIGNING))).status_code == 200
    assert len(list(journal.records())) == 1
