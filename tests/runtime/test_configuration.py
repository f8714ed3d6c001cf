"""The exact line for each thing that can be wrong with the settings."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.capabilities import KINDS
from contracts.dialects import DIALECTS
from runtime.configuration import SECRET_KEYS
from runtime.configuration_errors import explain
from runtime.settings import HeaderAuth, Settings
from runtime.settings_schema import Node, free_value, keys, root
from runtime.settings_values import PATTERNS
from tests.runtime.configurations import BASE, MISSING, PASTED, changed

URL = ": must be an absolute http or https URL, as https://odoo.example"
TWICE = ": 'flux' stands there 2 times (upper and lower case are equal); keep one"
OUTBOUND = "'none', 'basic', 'header', 'bearer'"
INBOUND = f"{OUTBOUND}, 'jwt'"
MIXED = ": algorithms: name either HS algorithms or the others, never both"
SIGNED = (
    ": must be 'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384' "
    "or 'ES512'"
)
NO_TOKEN = ": dialect event has no token in its bodies; remove it"
NO_RETRY_KEY = ": unknown key; valid: attempts, deadline_s, factor, heartbeat_s, initial_s, maximum_s, timeout_s"
NO_REFERENCE = ": must be a reference, env:NAME or file:/path: a secret itself never stands in the configuration"
NOT_A_NAME = 'odoos."B A": must be a name: at most 64 of a-z, 0-9, - and _, beginning with a letter or a digit'


def problems(tree: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(tree)
    return explain(refused.value)


def test_the_base_of_these_tests_is_valid() -> None:
    assert isinstance(Settings.model_validate(BASE).routes["event"].auth, HeaderAuth)


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        # Unknown keys name the nearest valid one; the kind of a section is no part of the path.
        ("route", {}, ": unknown key; did you mean 'routes'?"),
        ("starter.prot", 1, ": unknown key; did you mean 'port'?"),
        ("starter.PORT", 1, ": unknown key; did you mean 'port'?"),
        ("routes.event.auth.secrte", "env:X", ": unknown key; did you mean 'secret'?"),
        ("routes.event.callback.retry.timeout", 1, ": unknown key; did you mean 'timeout_s'?"),
        ("services.flux.retry.zzz", 1, NO_RETRY_KEY),
        ("logging.a b", 1, 'logging."a b": unknown key; valid: format, level'),
        # Missing keys.
        ("routes.event.auth.secret", MISSING, ": is required and missing"),
        ("routes.event.path", MISSING, ": is required and missing"),
        ("routes.event.callback", MISSING, ": is required and missing"),
        ("api.auth", {"user": "x"}, ".kind: is required and missing; valid: basic, bearer, header, jwt, none"),
        # Types.
        ("starter", 5, ": must be a section of keys"),
        ("routes", [], ": must be a section of keys"),
        ("starter.port", "many", ": must be a whole number"),
        ("starter.port", 1.5, ": must be a whole number"),
        ("routes.event.park_s", "long", ": must be a number"),
        ("services.flux.rate_per_second", "fast", ": must be a number"),
        ("services.flux.paid", "perhaps", ": must be true or false"),
        ("starter.host", 1, ": must be text in quotes"),
        ("store.path", 1, ": must be text in quotes"),
        ("routes.event.services", "flux", ': must be a list, as ["a", "b"]'),
        ("routes.event.services", ["flux", 1], "[1]: must be text in quotes"),
        # Ranges.
        ("starter.port", 70000, ": must be at most 65535"),
        ("starter.port", -1, ": must be at least 0"),
        ("routes.event.park_s", 0, ": must be more than 0"),
        ("routes.event.park_s", float("nan"), ": must be a finite number"),
        ("routes.event.services", [], ": must name at least 1"),
        ("odoos.main.database", "", ": must not be empty"),
        ("odoos.main.database", "x" * 256, ": must have at most 255 characters"),
        # Choices.
        ("routes.event.dialect", "evnt", ": unknown dialect; did you mean 'event'?"),
        ("routes.event.dialect", "soap", f": unknown dialect; valid: {', '.join(sorted(DIALECTS))}"),
        (
            "routes.event.methods",
            ["POST", "TRACE"],
            "[1]: must be 'GET', 'HEAD', 'POST', 'PUT', 'PATCH' or 'DELETE'",
        ),
        ("routes.event.methods", [], ": must name at least 1"),
        ("services.flux.kind", "comfy", f": must be {', '.join(map(repr, KINDS[:-1]))} or {KINDS[-1]!r}"),
        ("routes.event.auth.kind", "digest", f": unknown kind; valid: {INBOUND}, 'signature', 'url_token'"),
        ("api.auth", {"kind": "signature", "secret": "env:X"}, f".kind: unknown kind; valid: {INBOUND}"),
        ("services.flux.auth", {"kind": "jwt"}, f".kind: unknown kind; valid: {OUTBOUND}"),
        ("routes.event.auth", {"kind": "jwt"}, ": secret is required for HS256"),
        ("routes.event.auth", {"kind": "jwt", "algorithms": ["RS256"]}, ": public_key is required for RS256"),
        ("routes.event.auth", {"kind": "jwt", "algorithms": ["HS256", "ES256"], "secret": "env:X"}, MIXED),
        (
            "routes.event.auth",
            {"kind": "jwt", "secret": "env:X", "public_key": "env:Y"},
            ": public_key has no use with HS256; remove it",
        ),
        (
            "routes.event.auth",
            {"kind": "jwt", "algorithms": ["HS256", "none"], "secret": "env:X"},
            f".algorithms[1]{SIGNED}",
        ),
        # Forms.
        ("odoos.main.base_url", "odoo.example", URL),
        ("odoos.main.base_url", "https://", URL),
        ("odoos.main.base_url", "https://a:b", URL),
        ("odoos.main.base_url", "ftp://a", URL),
        ("odoos.main.base_url", "https://[", URL),
        ("odoos.main.base_url", "https://u:p@a", ": must not hold a user or password: set auth instead"),
        ("odoos.main.base_url", "https://a?b", ": must not have a query (?) or a fragment (#)"),
        (
            "routes.event.callback.allowed_origins",
            ["https://a/b"],
            "[0]: must be an origin without a path, as https://odoo.example",
        ),
        ("routes.event.callback.path", "done", ": must be a path that begins with / and has no blanks, ? and #"),
        ("routes.event.path", "/", ": must be a path without blanks, ? and #, as influencegen/generate"),
        ("routes.event.auth.name", "X Key", ": must be a header name, as X-Api-Key"),
        ("worker.metrics_bind", "9464", ": must be an address and a port, as 127.0.0.1:9464"),
        ("odoos.B A", BASE["odoos"]["main"], NOT_A_NAME),
        ("store.signing_key", "hunter2", NO_REFERENCE),
        ("routes.event.auth.secret", "hunter2", NO_REFERENCE),
        ("routes.event.auth.secret", ["env:NEW", "hunter2"], f"[1]{NO_REFERENCE}"),
        ("routes.event.auth.secret", [], ": must name at least 1"),
        ("routes.event.response.headers", {"X A": "b"}, '."X A": must be a header name, as X-Api-Key'),
        ("routes.event.response.headers", {"X-A": "b\nc"}, ".X-A: must be printable ASCII on one line"),
        ("routes.event.webhook_id", "a/b", ": must be an id of letters, digits, - and _, as n8n exports it"),
        (
            "routes.event.cors_origins",
            ["*", "odoo.example"],
            "[1]: must be an absolute http or https URL, as https://odoo.example",
        ),
        (
            "routes.event.allowed_ips",
            ["10.0.0"],
            "[0]: must be an IP address or network, as 10.0.0.1 or 10.0.0.0/8",
        ),
        ("routes.event.rate_limit", "many", ": must be a number per second, minute, hour or day, as 60/minute"),
        # Between sections.
        ("routes.event.odoo", "mian", ": unknown Odoo; did you mean 'main'?"),
        ("routes.event.services", ["flux", "flx"], "[1]: unknown image service; did you mean 'flux'?"),
        ("services", {}, "routes.event.services[0]: unknown image service; none is configured"),
        ("routes.event.services", ["flux", "flux"], TWICE),
        ("routes.event.methods", ["PUT", "PUT"], TWICE.replace("flux", "PUT")),
        (
            "routes.event.path",
            "ai/:id",
            ": with :name segments it answers only below its id; set routes.event.webhook_id",
        ),
        ("routes.event.service_names", {"FLUX": "zzzz"}, ".FLUX: unknown image service; valid: flux"),
        ("routes.event.service_names", {"FLUX": "flux", "Flux": "flux"}, TWICE),
        ("routes.event.security_token", "env:T", NO_TOKEN),
        ("routes.event.callback.security_token", "env:T", NO_TOKEN),
        ("routes.event.callback.images", "url", ": url needs a store.signing_key"),
        (
            "routes.other",
            {**BASE["routes"]["event"], "path": "/ai/events/"},
            ".path: is already the POST path of routes.event; choose another",
        ),
        (
            "services.gpu",
            {"kind": "openai", "base_url": "https://a", "fields": {"a": "b"}},
            ".fields: only kinds flux_lora, fal, replicate, bfl have it; remove it",
        ),
    ],
)
def test_each_mistake_has_its_line(path: str, value: object, line: str) -> None:
    # A line that begins with punctuation goes on from the path that was changed.
    assert problems(changed(path, value)) == [line if line[0].isalpha() else path + line]


def test_all_problems_are_told_at_once() -> None:
    tree = changed("starter.prot", 1)
    tree["routes"]["event"]["auth"] = {"kind": "header", "secrte": "env:X"}
    assert problems(tree) == [
        "starter.prot: unknown key; did you mean 'port'?",
        "routes.event.auth.name: is required and missing",
        "routes.event.auth.secret: is required and missing",
        "routes.event.auth.secrte: unknown key; did you mean 'secret'?",
    ]


def test_each_contradiction_has_a_line_of_its_own() -> None:
    tree = changed("routes.event.odoo", "zzzz")
    tree["routes"]["event"]["callback"]["images"] = "url"
    assert problems(tree) == [
        "routes.event.odoo: unknown Odoo; valid: main",
        "routes.event.callback.images: url needs a store.signing_key",
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("routes.put", {**BASE["routes"]["event"], "methods": ["PUT", "GET"]}),
        ("routes.same", {**BASE["routes"]["event"], "webhook_id": "a1-b2"}),
        ("routes.event.auth.secret", ["env:NEW", "file:/run/secrets/old"]),
        ("routes.event.allowed_ips", ["10.0.0.1", "10.1.0.0/16", "::1"]),
        ("routes.event.cors_origins", ["*"]),
        ("routes.event.service_names", {"FLUX": "flux", "COMFY_UI": "flux"}),
        ("services.flux.fields", {"text_prompt": "prompt"}),
        ("odoos.main.base_url", "http://127.0.0.1:8069/odoo/"),
        ("worker.metrics_bind", "[::1]:9464"),
        ("routes.event.auth", {"kind": "none"}),
        ("routes.event.path", "/ai/x.y:z"),
    ],
)
def test_what_looks_like_a_mistake_and_is_none(path: str, value: object) -> None:
    Settings.model_validate(changed(path, value))


def leaves(path: str, node: Node) -> list[str]:
    """Every key of the tree, with `event` and so on for the free names."""
    value = free_value(node)
    if value is not None:
        name = {"odoos": "main", "services": "flux", "routes": "event"}.get(path, "some")
        return leaves(f"{path}.{name}", value)
    below = [leaf for name, key in keys(node).items() for leaf in leaves(f"{path}.{name}".lstrip("."), key)]
    return [path, *below] if path else below


@pytest.mark.parametrize("path", leaves("", root()))
def test_a_pasted_secret_is_never_repeated(path: str) -> None:
    tree = changed(path, PASTED)
    kind = {"user": "basic", "password": "basic", "secret": "bearer", "public_key": "jwt"}.get(path.rpartition(".")[2])
    if kind:
        tree = changed(path.rpartition(".")[0], {"kind": kind, path.rpartition(".")[2]: PASTED})
    try:
        Settings.model_validate(tree)
    except ValidationError as error:
        lines = explain(error)
        assert lines
        assert PASTED not in "\n".join(lines)


def test_every_pattern_is_explained_in_words() -> None:
    nodes = [node for _, node in every_node("", root())]
    patterns = {pattern for node in nodes for pattern in [node.get("pattern"), *node.get("patternProperties", {})]}
    assert patterns - {None} == set(PATTERNS)


def every_node(path: str, node: Node) -> list[tuple[str, Node]]:
    value = free_value(node)
    below = [pair for name, key in keys(node).items() for pair in every_node(f"{path}.{name}", key)]
    return [(path, node), *below, *(every_node(f"{path}.NAME", value) if value else [])]


def test_every_key_that_holds_a_secret_reference_is_known_as_one() -> None:
    found = {
        path.rpartition(".")[2]
        for path, node in every_node("", root())
        if node.get("format", "").startswith("secret-reference")
    }
    assert found == SECRET_KEYS
