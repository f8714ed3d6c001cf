"""The configuration of the demo and of `up` without one: every dialect, both protocols, the local stand-ins."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from operations.stack import StandIns

SECRET_NAMES = ("webhook", "callback", "service", "signing", "api", "token")


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where the demo's configuration and secrets lie."""

    directory: Path

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.directory / "orchestrator.toml"

    def secret(self, name: str) -> Path:
        """The file of a secret."""
        return self.directory / "secrets" / name

    def read_secret(self, name: str) -> str:
        """A secret's value."""
        return self.secret(name).read_text(encoding="utf-8").strip()

    def reference(self, name: str) -> str:
        """A secret's reference, as the configuration names it."""
        return f"file:{self.secret(name)}"


_TEMPLATE = """\
# Made by the orchestrator for its local stand-ins. Copy what you need into your own configuration.
[starter]
port = {starter_port}
public_base_url = "http://127.0.0.1:{starter_port}"

[api]
auth = {{ kind = "bearer", secret = "{api}" }}

[store]
path = "{store}"
signing_key = "{signing}"

[logging]
format = "json"

[odoos.demo]
database = "demo"
base_url = "{receiver}"

[services.flux]
kind = "flux_lora"
base_url = "{image}"
auth = {{ kind = "bearer", secret = "{service}" }}
allow_private_hosts = true
retry = {{ initial_s = 0.5, maximum_s = 5, timeout_s = 60 }}

[services.openai]
kind = "openai"
base_url = "{image}"
model = "local-image-1"
auth = {{ kind = "bearer", secret = "{service}" }}
allow_private_hosts = true
retry = {{ initial_s = 0.5, maximum_s = 5, timeout_s = 60 }}
"""

_ROUTE = """
[routes.{name}]
path = "{path}"
dialect = "{dialect}"
odoo = "demo"
services = {services}
auth = {auth}
callback = {{ path = "{callback}", auth = {callback_auth}, \
retry = {{ initial_s = 0.5, maximum_s = 5 }}{extra} }}
{more}"""


@dataclass(frozen=True, slots=True)
class DemoRoute:
    """One route of the demo."""

    dialect: str
    path: str
    services: tuple[str, ...]
    auth: str
    """basic, bearer or the name of a header."""
    callback: str
    callback_header: str | None
    """None = callbacks are signed."""
    images: str = "inline"
    carried: str = "callback"
    """Name of the secret that callbacks of dialect `endpoint` carry in the body."""
    called: str | None = None
    """Its name where the dialect's is taken."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self.called or self.dialect


ROUTES = (
    DemoRoute("event", "ai/event", ("flux",), "X-Api-Key", "/callback/event", "X-Api-Key"),
    DemoRoute(
        "correlation",
        "influencegen/ai/image_generate",
        ("flux", "openai"),
        "bearer",
        "/api/influencegen/image_result_callback",
        "X-Api-Key",
        "url",
    ),
    DemoRoute(
        "request",
        "influencegen/ai-image-generate",
        ("openai", "flux"),
        "basic",
        "/api/influencegen/ai_image_callback",
        "X-Api-Key",
    ),
    DemoRoute(
        "adapter",
        "influencegen/adapter",
        ("flux",),
        "bearer",
        "/influence_gen/n8n/ai_callback",
        "X-N8N-Signature",
    ),
    DemoRoute(
        "endpoint",
        "influencegen/endpoint",
        ("openai",),
        "X-N8N-Api-Key",
        "/influence_gen/ai/callback/image_result",
        "X-N8N-Webhook-Token",
    ),
)
BASIC_USER = "odoo"


def write_configuration(
    directory: Path, starter_port: int, stand_ins: StandIns, routes: Sequence[DemoRoute] = ROUTES
) -> DemoFiles:
    """Write configuration and fresh secrets below `directory`; secrets that are there already stay."""
    files = DemoFiles(directory.resolve())
    for name in SECRET_NAMES:
        _ensure_secret(files.secret(name))
    text = _TEMPLATE.format(
        starter_port=starter_port,
        receiver=stand_ins.receiver_url,
        image=stand_ins.image_url,
        store=files.directory / "images",
        **{name: files.reference(name) for name in SECRET_NAMES},
    )
    files.config.write_text(text + "".join(_route(route, files) for route in routes), encoding="utf-8")
    return files


def _ensure_secret(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
        # Hexadecimal digits are base64 too, as a secret that signs must be; any other secret may look so.
        path.write_text(f"whsec_{secrets.token_hex(24)}", encoding="utf-8")


def _route(route: DemoRoute, files: DemoFiles) -> str:
    return _ROUTE.format(
        name=route.name,
        dialect=route.dialect,
        path=route.path,
        services="[" + ", ".join(f'"{name}"' for name in route.services) + "]",
        auth=_auth(route.auth, files.reference("webhook")),
        callback=route.callback,
        callback_auth=_auth(route.callback_header or "signature", files.reference("callback")),
        extra=(', images = "url"' if route.images == "url" else "")
        + (f', security_token = "{files.reference(route.carried)}"' if route.dialect == "endpoint" else ""),
        more=f'security_token = "{files.reference("token")}"\n' if route.dialect == "endpoint" else "",
    )


def _auth(kind: str, secret: str) -> str:
    if kind == "basic":
        return f'{{ kind = "basic", user = "{BASIC_USER}", password = "{secret}" }}'
    if kind in {"bearer", "signature"}:
        return f'{{ kind = "{kind}", secret = "{secret}" }}'
    return f'{{ kind = "header", name = "{kind}", secret = "{secret}" }}'
