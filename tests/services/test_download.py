"""Downloads over real sockets: what is refused before anything is sent, and what each end of a download means."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

import pytest

from activities.services.addresses import host_matches
from activities.services.base import ImageService, RemoteArtifact, ServiceError
from activities.services.bfl import BflService
from activities.services.download import Downloader
from activities.services.fal import FalService
from activities.services.jobs import JobService
from activities.services.replicate import ReplicateService
from contracts.errors import FailureClass as Class
from tests.services.calls import call, failing, picture, settings
from tests.services.scripted import Script, ScriptedServer

Connect = Callable[..., ImageService]
PNG = picture()
OK = Script(body=PNG, headers={"Content-Type": "image/png"})
ELSEWHERE = "https://service.example"


async def fetch(service: ImageService, url: str, timeout_s: float = 10) -> bytes:
    return await service.download(RemoteArtifact(url=url), call(timeout_s))


def redirect(target: str, status: int = 302) -> Script:
    return Script(status, headers={"Location": target})


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://cdn.example/a.png", "not allowed: add it to the service's artifact_hosts"),
        ("http://169.254.169.254/latest/meta-data", "not allowed"),
        ("http://localhost/a.png", "not allowed"),
        ("http://127.1/a.png", "not allowed"),
        ("http://2130706433/a.png", "not allowed"),
        ("http://[::1]/a.png", "not allowed"),
        ("http://[::ffff:127.0.0.1]/a.png", "not allowed"),
        ("http://service.example@cdn.example/a.png", "user name or a password"),
        ("http://user:pass@service.example/a.png", "user name or a password"),
        ("http://service.example\\@cdn.example/a.png", ""),
        ("http://service.example.cdn.example/a.png", "not allowed"),
        ("file:///etc/passwd", "not an http or https URL"),
        ("ftp://service.example/a.png", "not an http or https URL"),
        ("//service.example/a.png", "not an http or https URL"),
        ("http:///a.png", "not an http or https URL"),
        ("http://service.example:99999/a.png", "not a URL"),
        ("http://\x00/", "not a URL"),
        ("", "not an http or https URL"),
    ],
)
async def test_a_url_that_is_refused(url: str, reason: str, connect: Connect) -> None:
    error = await failing(fetch(connect("openai", ELSEWHERE), url), Class.ARTIFACT_INVALID)
    assert reason in error.failure.message


@pytest.mark.parametrize(
    ("kind", "host"),
    [(FalService, "v3.fal.media"), (ReplicateService, "replicate.delivery"), (BflService, "delivery-eu1.bfl.ai")],
)
def test_where_a_service_delivers_from(kind: type[JobService], host: str) -> None:
    assert host_matches(host, kind.delivery_hosts)
    assert not host_matches(f"{host}.evil.example", kind.delivery_hosts)


@pytest.mark.parametrize("hosts", [("localhost",), ()])
async def test_hosts_that_a_service_delivers_from_need_no_setting(
    hosts: tuple[str, ...], server: ScriptedServer
) -> None:
    server.play(OK)
    downloader = Downloader("svc", settings(ELSEWHERE, allow_private_hosts=True), hosts)
    artifact = RemoteArtifact(url=f"http://localhost:{server.port}/a.png")
    if hosts:
        assert await downloader.fetch(artifact, call()) == PNG
    else:
        await failing(downloader.fetch(artifact, call()), Class.ARTIFACT_INVALID)
    await downloader.aclose()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "[fd00:ec2::254]", "[::ffff:10.0.0.1]"]
)
async def test_an_allowed_name_of_a_private_address(host: str, server: ScriptedServer, connect: Connect) -> None:
    server.play(OK)
    service = connect("openai", ELSEWHERE, artifact_hosts=[host.strip("[]")])
    error = await failing(fetch(service, f"http://{host}:{server.port}/a.png"), Class.ARTIFACT_INVALID)
    assert "private address" in error.failure.message
    assert "allow_private_hosts" in error.failure.message
    assert not server.received


async def test_private_hosts_where_they_are_meant(server: ScriptedServer, connect: Connect) -> None:
    server.play(OK)
    service = connect("openai", ELSEWHERE, artifact_hosts=["localhost"], allow_private_hosts=True)
    assert await fetch(service, f"http://localhost:{server.port}/a.png?x=1#part") == PNG
    assert server.received[0].headers["host"] == f"localhost:{server.port}"
    assert server.received[0].path == "/a.png?x=1"
    assert "authorization" not in server.received[0].headers


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data", "not allowed"),
        ("http://localhost:{port}/a.png", "private address"),
        ("//localhost:{port}/a.png", "private address"),
        ("https://cdn.example/a.png", "not allowed"),
        ("http://x:y@127.0.0.1:{port}/a.png", "user name or a password"),
        ("file:///etc/passwd", "not an http or https URL"),
    ],
)
async def test_every_redirect_is_checked(target: str, reason: str, server: ScriptedServer, connect: Connect) -> None:
    server.play(redirect(target.format(port=server.port)), OK)
    service = connect("openai", server.url, artifact_hosts=["localhost"])
    error = await failing(fetch(service, f"{server.url}/a.png"), Class.ARTIFACT_INVALID)
    assert reason in error.failure.message
    assert len(server.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_within_the_allowed(status: int, server: ScriptedServer, connect: Connect) -> None:
    server.play(redirect("/b.png", status), redirect("c.png", status), redirect(f"{server.url}/d.png", status), OK)
    assert await fetch(connect("openai", server.url), f"{server.url}/a/a.png") == PNG
    assert [received.path for received in server.received] == ["/a/a.png", "/b.png", "/c.png", "/d.png"]


async def test_endless_redirects(server: ScriptedServer, connect: Connect) -> None:
    server.play(redirect("/again"))
    await failing(fetch(connect("openai", server.url), f"{server.url}/a.png"), Class.ARTIFACT_INVALID)
    assert len(server.received) == 4


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(400), Class.ARTIFACT_EXPIRED),
        (Script(401), Class.AUTHENTICATION_FAILED),
        (Script(403, b"<Error><Code>AccessDenied</Code></Error>"), Class.ARTIFACT_EXPIRED),
        (Script(404), Class.ARTIFACT_EXPIRED),
        (Script(410), Class.ARTIFACT_EXPIRED),
        (Script(429), Class.RATE_LIMITED),
        (Script(500), Class.PROVIDER_INTERNAL),
        (Script(502), Class.PROVIDER_INTERNAL),
        (Script(503), Class.PROVIDER_OVERLOADED),
        (Script(302), Class.ARTIFACT_INVALID),
        (Script(then="drop"), Class.PROVIDER_INTERNAL),
        (Script(then="hang"), Class.PROVIDER_INTERNAL),
        (Script(body=PNG, then="cut"), Class.PROVIDER_INTERNAL),
        (Script(then="endless"), Class.ARTIFACT_INVALID),
        (Script(body=b""), Class.ARTIFACT_INVALID),
        (Script(204), Class.ARTIFACT_INVALID),
        (Script(body=b"<!doctype html><html></html>", headers={"Content-Type": "text/html"}), Class.ARTIFACT_INVALID),
        (Script(body=b"<svg/>", headers={"Content-Type": "image/svg+xml"}), Class.ARTIFACT_INVALID),
        (Script(body=b'{"error": "x"}', headers={"Content-Type": "image/png"}), Class.ARTIFACT_INVALID),
    ],
)
async def test_how_a_download_can_end(
    script: Script, expected: Class, server: ScriptedServer, connect: Connect
) -> None:
    server.play(script)
    service = connect("openai", server.url, image_limit=2**17)
    await failing(fetch(service, f"{server.url}/a.png", 0.5 if script.then == "hang" else 10), expected)
    assert len(server.received) == 1


async def test_the_limit_is_exact(server: ScriptedServer, connect: Connect) -> None:
    data = PNG + b"\0" * (2048 - len(PNG))
    server.play(Script(body=data))
    assert await fetch(connect("openai", server.url, image_limit=2048), server.url) == data
    error = await failing(fetch(connect("openai", server.url, image_limit=2047), server.url), Class.ARTIFACT_INVALID)
    assert "image_limit of 2047" in error.failure.message


async def test_nobody_listens(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    await failing(fetch(connect("openai", url), f"{url}/a.png"), Class.CONNECT_FAILED)


async def test_a_name_without_an_address(connect: Connect) -> None:
    host = f"{'a' * 64}.example"
    error = await failing(
        fetch(connect("openai", ELSEWHERE, artifact_hosts=["*.example"]), f"http://{host}/a.png"), Class.CONNECT_FAILED
    )
    assert host in error.failure.message


async def test_no_url_with_its_signature_is_shown(server: ScriptedServer, connect: Connect) -> None:
    for script in (Script(403), Script(200), Script(then="drop"), redirect("https://cdn.example/?sig=s1gned")):
        server.play(script)
        with pytest.raises(ServiceError) as caught:
            await fetch(connect("openai", server.url), f"{server.url}/a.png?sig=s1gned")
        assert "s1gned" not in caught.value.failure.model_dump_json()


async def test_a_name_is_looked_up_once(
    server: ScriptedServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that changes its answer after the check cannot lead the download elsewhere."""
    look_up, asked = socket.getaddrinfo, list[object]()

    def rebinding(host: object, *rest: int, **named: int) -> object:
        if host != "rebinding.example":
            return look_up(host, *rest, **named)  # type: ignore[arg-type]
        asked.append(host)
        return look_up("127.0.0.1" if len(asked) == 1 else "169.254.169.254", *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    server.play(OK)
    service = connect("openai", ELSEWHERE, artifact_hosts=["*.example"], allow_private_hosts=True)
    assert await fetch(service, f"http://rebinding.example:{server.port}/a.png") == PNG
    assert asked == ["rebinding.example"]
    assert server.received[0].headers["host"] == f"rebinding.example:{server.port}"


async def test_tls_asks_for_the_name_not_the_address(connect: Connect) -> None:
    """The server has no certificate, so the handshake fails; the name it was asked for is what counts."""
    asked = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        await failing(fetch(connect("openai", url), f"{url}/a.png"), Class.CONNECT_FAILED)
    assert set(asked) == {"localhost"}
