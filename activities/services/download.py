"""Fetching a finished image: from allowed hosts and public addresses only, without credentials, capped in size."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping

import httpx

from activities.images import sniff
from activities.services.addresses import host_matches, is_public
from activities.services.base import Call, RemoteArtifact, ServiceError
from activities.services.http_errors import Reply, read_refusal
from activities.services.refusals import Phase
from activities.services.transport import TooLargeError, call_headers, exchange, new_client, read_capped, timeouts
from contracts.errors import FailureClass, make_failure
from runtime.settings import ServiceSettings

REDIRECTS = 3
"""Most redirects that are followed."""
LAST_PORT = 0xFFFF
"""The highest TCP port."""


class Downloader:
    """Downloads the images of one service. `hosts` are those it is known to deliver from.

    `credentials` are the headers for URLs below the service's own base_url, where it delivers only to who may call it.
    """

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        hosts: tuple[str, ...] = (),
        credentials: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._name = name
        self._settings = settings
        self._own_host = httpx.URL(settings.base_url).host
        self._own_urls = str(httpx.URL(f"{settings.base_url}/"))
        self._credentials = credentials
        self._hosts = (self._own_host, *hosts, *settings.artifact_hosts)
        # A kept connection could serve another host name of the same address, whose certificate nobody checked.
        self._client = new_client(keepalive=False)

    async def fetch(self, artifact: RemoteArtifact, call: Call) -> bytes:
        """The bytes of an image; raises `ServiceError`."""
        async with exchange(Phase.DOWNLOAD, self._name, call.timeout_s):
            url = self._checked(artifact.url)
            for _ in range(REDIRECTS + 1):
                reply = await self._get(url, call)
                target = reply.headers.get("location")
                if not (target and httpx.codes.is_redirect(reply.status)):
                    return self._image(reply)
                url = self._checked(target, url)
        raise self._invalid(f"the image's URL redirects more than {REDIRECTS} times")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _checked(self, text: str, base: httpx.URL | None = None) -> httpx.URL:
        try:
            url = base.join(text) if base else httpx.URL(text)
        except httpx.InvalidURL:
            raise self._invalid("the image's URL is not a URL") from None
        if url.port is not None and not 0 < url.port <= LAST_PORT:
            raise self._invalid("the image's URL is not a URL")
        if url.scheme not in {"http", "https"} or not url.host:
            raise self._invalid("the image's URL is not an http or https URL")
        if url.userinfo:
            raise self._invalid("the image's URL holds a user name or a password")
        if not host_matches(url.host, self._hosts):
            raise self._invalid(f"the image's host {url.host} is not allowed: add it to the service's artifact_hosts")
        return url

    async def _get(self, url: httpx.URL, call: Call) -> Reply:
        broken: httpx.TransportError = httpx.ConnectError("the name has no address")
        for address in await self._addresses(url):
            try:
                return await self._get_from(address, url, call)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                broken = error
        raise broken

    async def _addresses(self, url: httpx.URL) -> list[str]:
        host, port = url.raw_host.decode(), url.port or {"http": 80, "https": 443}[url.scheme]
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"{url.host}: {error}") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        private = next((address for address in addresses if not is_public(address)), None)
        if private and not (self._settings.allow_private_hosts or url.host == self._own_host):
            raise self._invalid(
                f"the image's host {url.host} has the private address {private}: "
                "set the service's allow_private_hosts if that is meant"
            )
        return addresses

    async def _get_from(self, address: str, url: httpx.URL, call: Call) -> Reply:
        """Ask the very address that was checked: a second look-up of the name could give another one."""
        own = self._credentials() if str(url).startswith(self._own_urls) else {}
        request = self._client.build_request(
            "GET",
            url.copy_with(host=address),
            headers={"Host": url.netloc.decode(), "Accept": "image/*", **call_headers(call), **own},
            extensions={"sni_hostname": url.raw_host.decode()},
            timeout=timeouts(call.timeout_s),
        )
        response = await self._client.send(request, stream=True)
        try:
            body = await read_capped(response, self._settings.image_limit)
        except TooLargeError:
            message = f"the image has more than the service's image_limit of {self._settings.image_limit} bytes"
            raise self._invalid(message) from None
        finally:
            await response.aclose()
        return Reply(self._name, response.status_code, response.headers, body)

    def _image(self, reply: Reply) -> bytes:
        if not httpx.codes.is_success(reply.status):
            raise ServiceError(*read_refusal(reply, Phase.DOWNLOAD, now=time.time()))
        sniff(reply.body)
        return reply.body

    def _invalid(self, reason: str) -> ServiceError:
        return ServiceError(make_failure(FailureClass.ARTIFACT_INVALID, reason, service=self._name))
