"""Measures callbacks inside a real Odoo: `python bench/odoo.py`.

Prints one JSON document per measurement: a body refused for its secret, which is what Odoo itself costs; a callback
with an image of 2 MB, one at a time; 50 of them at once.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

# In place of this directory, whose modules are named as others are: limits, site.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import httpx
from PIL import Image

from bench.site import percentile
from contracts.identity import sha256_hex
from operations.odoo.bridge import REQUEST
from operations.odoo.installation import ADDON, STOCK, OdooHome, get_odoo
from operations.odoo.rpc import OdooClient
from operations.supervisor import Supervisor
from runtime.embedded import free_ports

DATABASE, SECRET, PATH = "bench", "bench-secret", "/api/ai/events"
ALONE, AT_ONCE = 30, 50
SIDE = 836
"""Pixels: noise of three channels does not compress, so the PNG has 2 MB."""


@asynccontextmanager
async def _odoo() -> AsyncIterator[str]:
    await get_odoo()
    home, (port,) = await OdooHome.new(), free_ports([0])
    supervisor = Supervisor(home.state / "logs")
    try:
        await supervisor.start(home.postgres())
        await home.clone(STOCK, DATABASE)
        await home.install(DATABASE, ADDON)
        await supervisor.start(home.odoo(DATABASE, port))
        yield f"http://127.0.0.1:{port}"
    finally:
        await supervisor.stop()
        home.remove()


def _image() -> bytes:
    content = BytesIO()
    Image.frombytes("RGB", (SIDE, SIDE), os.urandom(SIDE * SIDE * 3)).save(content, "PNG")
    return content.getvalue()


async def _asked(odoo: OdooClient, count: int) -> list[str]:
    """The keys of requests that wait for an outcome: they were sent to where nobody listens."""
    made = await odoo.call(REQUEST, "create", [{"prompt": "a boat"} for _ in range(count)])
    await odoo.call(REQUEST, "action_generate", made)
    return [each["request_key"] for each in await odoo.call(REQUEST, "read", made, ["request_key"])]


async def _deliver(http: httpx.AsyncClient, key: str, image: bytes, secret: str = SECRET) -> tuple[int, float]:
    """Status and milliseconds of one callback."""
    body = {
        "requestId": key,
        "correlationId": key,
        "status": "completed",
        "imageData": base64.b64encode(image).decode(),
        "imageMetadata": {"format": "png", "size": len(image), "width": SIDE, "height": SIDE},
        "hashValue": sha256_hex(image),
    }
    content, headers = json.dumps(body), {"X-Api-Key": secret, "Content-Type": "application/json"}
    begun = time.perf_counter()
    answer = await http.post(PATH, content=content, headers=headers)
    return answer.status_code, (time.perf_counter() - begun) * 1000


async def _measure() -> list[dict[str, object]]:
    async with _odoo() as url, OdooClient(url, DATABASE) as odoo, httpx.AsyncClient(base_url=url, timeout=60) as http:
        for name, value in {"callback_secret": SECRET, "orchestrator_url": "http://127.0.0.1:9"}.items():
            await odoo.call("ir.config_parameter", "set_param", f"{ADDON}.{name}", value)
        keys = await _asked(odoo, ALONE + AT_ONCE + 1)
        image = _image()
        await _deliver(http, keys.pop(), image)
        refused = [await _deliver(http, keys[0], image, "wrong") for _ in range(ALONE)]
        alone = [await _deliver(http, keys.pop(), image) for _ in range(ALONE)]
        begun = time.perf_counter()
        together = await asyncio.gather(*(_deliver(http, key, image) for key in keys))
        seconds = time.perf_counter() - begun
    none = {"measurement": "refused callback", "image_bytes": len(image), **_summary(refused)}
    one = {"measurement": "callback", "image_bytes": len(image), **_summary(alone)}
    many = {"measurement": "callbacks at once", "count": AT_ONCE, "seconds": round(seconds, 2), **_summary(together)}
    return [none, one, many]


def _summary(answers: list[tuple[int, float]]) -> dict[str, object]:
    spent = [milliseconds for _, milliseconds in answers]
    figures = {f"p{percent}": round(percentile(spent, percent), 1) for percent in (50, 99)}
    return {"answers": dict(Counter(status for status, _ in answers)), "ms": figures}


def main() -> None:
    """Run the measurements."""
    for result in asyncio.run(_measure()):
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
