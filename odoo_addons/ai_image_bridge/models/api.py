"""The HTTP client of the orchestrator. Every failure to get an answer is an `UnreachableError`."""

import email.utils
import ipaddress
import json
import time
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import requests

from . import dialects, parameters

ANSWER_LIMIT = 64 * 1024
RETRY_AFTER_LIMIT_S = 3600.0


class UnreachableError(Exception):
    """No answer: network, time-out, or not configured. The message is one line without secrets."""


class Answer(NamedTuple):
    """Status, the JSON object of the body or {}, and Retry-After in seconds or None."""

    status: int
    content: dict
    retry_after_s: float | None

    @property
    def ok(self):
        return 200 <= self.status < 300

    @property
    def message(self):
        """What the answer says of itself, for people."""
        said = self.content.get("message") or self.content.get("error") or ""
        return f"HTTP {self.status}: {str(said)[:200]}" if said else f"HTTP {self.status}"


class Orchestrator:
    """Calls with the settings of one database."""

    def __init__(self, env):
        self._env = env
        self._timeout_s = max(1, parameters.number(env, "timeout_s"))

    def send(self, key, dialect, body, priority=None):
        """Post a generation request; the same key again is the same request."""
        path = parameters.text(self._env, "webhook_path") or dialects.PATHS[dialect]
        secret = parameters.text(self._env, "webhook_secret")
        name, prefix = dialects.SECRET_HEADERS[dialect]
        headers = {"Idempotency-Key": key, **({name: prefix + secret} if secret else {})}
        if priority:
            headers["X-Request-Priority"] = priority
        return self._call("POST", f"/webhook/{path.lstrip('/')}", headers, body)

    def state(self, key):
        """Where the request stands, as the orchestrator's `RequestState`."""
        return self._call("GET", self._request_path(key), self._bearer())

    def redrive(self, key, by, reason):
        """Take a parked request up again."""
        return self._call("POST", self._request_path(key, "/redrive"), self._bearer(), {"by": by, "reason": reason})

    def cancel(self, key):
        """Ask for a cancellation; the outcome comes as a callback."""
        return self._call("POST", self._request_path(key, "/cancel"), self._bearer())

    def health(self):
        """Whether the orchestrator is ready to take requests."""
        return self._call("GET", "/healthz/readiness", {})

    def _request_path(self, key, action=""):
        route = parameters.text(self._env, "route")
        query = f"?route={quote(route, safe='')}" if route else ""
        return f"/api/requests/{quote(key, safe='')}{action}{query}"

    def _bearer(self):
        token = parameters.text(self._env, "api_token")
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _call(self, method, path, headers, body=None):
        url = base_url(self._env) + path
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        deadline = time.monotonic() + self._timeout_s
        try:
            with _open(method, url, headers, data, self._timeout_s) as response:
                content = _read(response, ANSWER_LIMIT, deadline, chunk=1)
        except (requests.RequestException, ValueError) as error:
            raise UnreachableError(f"no answer ({type(error).__name__})") from None
        return Answer(response.status_code, _as_object(content), _retry_after_s(response.headers.get("Retry-After")))


def download(url, limit, timeout_s):
    """The status and bytes behind a URL, redirects not followed; raises `UnreachableError`, too large = status 413."""
    deadline = time.monotonic() + 10 * timeout_s
    try:
        with _open("GET", url, {}, None, timeout_s) as response:
            content = _read(response, limit + 1, deadline, chunk=64 * 1024)
    except (requests.RequestException, ValueError) as error:
        raise UnreachableError(f"no answer ({type(error).__name__})") from None
    return (413, b"") if len(content) > limit else (response.status_code, content)


def base_url(env):
    """The orchestrator's URL without a final slash; raises `UnreachableError` where it may not be used."""
    url = parameters.text(env, "orchestrator_url").rstrip("/")
    problem = url_problem(url, allow_http=bool(parameters.text(env, "allow_http")))
    if problem:
        raise UnreachableError(f"orchestrator URL: {problem}")
    return url


def url_problem(url, allow_http=False):
    """Why this is no URL to send secrets to, or None."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "it is malformed"
    if not url:
        return "it is not set"
    if parts.scheme not in ("http", "https") or not host:
        return "it must begin with https:// and name a host"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "it must hold neither credentials nor a query"
    if parts.scheme == "http" and not allow_http and not is_local(host):
        return "it must begin with https:// unless it is localhost"
    return None


def is_local(host):
    """Whether the host name is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url):
    """Scheme, host and port of a URL, or None where it has none or holds credentials."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None or parts.username is not None or parts.password is not None:
        return None
    return parts.scheme, parts.hostname.lower(), port


def image_origins(env):
    """The origins that images may be downloaded from: the orchestrator's, and those of the settings."""
    named = f"{parameters.text(env, 'orchestrator_url')} {parameters.text(env, 'image_origins')}"
    return {origin(url) for url in named.split()} - {None}


def _open(method, url, headers, data, timeout_s):
    # `auth` keeps requests from taking other credentials out of a .netrc file.
    return requests.request(
        method,
        url,
        headers=headers,
        data=data,
        timeout=timeout_s,
        allow_redirects=False,
        stream=True,
        auth=lambda prepared: prepared,
    )


def _read(response, limit, deadline, chunk):
    content = bytearray()
    for part in response.iter_content(chunk):
        content += part
        if len(content) >= limit:
            break
        if time.monotonic() > deadline:
            raise requests.Timeout
    return bytes(content[:limit])


def _as_object(content):
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _retry_after_s(value):
    if not value:
        return None
    if value.isascii() and value.isdigit():
        wait = float(value[:9])
    else:
        try:
            wait = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return min(max(wait, 0.0), RETRY_AFTER_LIMIT_S)
