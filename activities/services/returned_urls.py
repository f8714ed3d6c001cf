"""Which of the URLs that a service returned may be followed with its credentials. Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from activities.services.addresses import host_matches
from activities.services.base import ServiceError
from contracts.errors import FailureClass, make_failure

LIMIT = 2048
"""Characters of a URL that is kept in a job reference."""


class ReturnedUrls:
    """The rule of one service account.

    Where its base_url names the service's public host, only URLs of the `public` hosts are followed, and only over
    https. Where it names another host (a proxy, a test's stand-in), every URL is asked of that host in the place of
    the one that it names: it knows the way.
    """

    def __init__(self, service: str, base_url: str, public: tuple[str, ...]) -> None:
        self._service = service
        self._base_url = base_url
        self._public = public
        self.behind_proxy = not host_matches(urlsplit(base_url).hostname or "", public)
        """Whether base_url names another host than the service's own."""

    def checked(self, text: str) -> str:
        """The URL to ask; raises `ServiceError` ProtocolError for one that must not have the credentials."""
        url = self._split(text)
        if self.behind_proxy:
            return self._on_base(url)
        if not host_matches(url.hostname or "", self._public) or url.port not in {None, 443}:
            raise self._refused(f"a URL on another host, {(url.hostname or '')[:100]}")
        if url.scheme != "https":
            raise self._refused("a URL without https")
        return text

    def _split(self, text: str) -> SplitResult:
        try:
            url = urlsplit(text)
            port_is_number = url.port is None or url.port > 0
        except ValueError:
            raise self._refused("a URL that is none") from None
        if not (port_is_number and url.scheme in {"http", "https"} and url.hostname) or not _is_plain(text):
            raise self._refused("a URL that is none")
        if "@" in url.netloc:
            raise self._refused("a URL with a user or a password")
        return url

    def _on_base(self, url: SplitResult) -> str:
        base = urlsplit(self._base_url)
        root = base.path.removesuffix("/v1") if url.path.startswith("/v1/") else base.path
        path = url.path if url.netloc.lower() == base.netloc.lower() else root + url.path
        return url._replace(scheme=base.scheme, netloc=base.netloc, path=path, fragment="").geturl()

    def _refused(self, what: str) -> ServiceError:
        message = f"{self._service} returned {what}, which is not followed: the job is known, but cannot be asked for"
        return ServiceError(make_failure(FailureClass.PROTOCOL_ERROR, message, service=self._service))


def _is_plain(text: str) -> bool:
    return len(text) <= LIMIT and text.isascii() and text.isprintable() and " " not in text and "\\" not in text
