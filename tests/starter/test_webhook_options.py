"""What a route may say beyond its path: methods, names in the path, callers, answers, origins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.settings import HeaderAuth
from starter.access.admission import is_bot
from starter.wire.routing import Target, WebhookTable, parse_target
from tests.starter.front import SECRET, Front, event, raw
from tests.starter.test_refusals import basic

A, B, EVIL = "https://a.example", "https://b.example", "https://evil.example"
SANDBOX = "sandbox allow-downloads allow-forms"


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 200), ("PUT", 200), ("HEAD", 404)])
async def test_several_methods_share_a_path(front: Front, method: str, status: int) -> None:
    answer = await front.http.request(method, "/webhook/several")
    assert answer.status_code == status


async def test_a_method_that_none_of_them_has_is_told_all_others(front: Front) -> None:
    answer = await front.http.delete("/webhook/several")
    message = "This webhook is not registered for DELETE requests. Did you mean to make a GET, POST or PUT request?"
    assert answer.json() == {"code": 404, "message": message}


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "post"])
@pytest.mark.parametrize("path", ["several", "no/such"])
async def test_a_method_that_no_webhook_has_is_405(front: Front, method: str, path: str) -> None:
    answer = await raw(front.url, f"{method} /webhook/{path} HTTP/1.1")
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, PATCH, POST, PUT")
    assert json.loads(answer.body) == {"code": 405, "message": f"The method {method} is not supported."}


async def test_an_inactive_webhook_is_an_unknown_path(front: Front) -> None:
    answer = await front.post("inactive", event())
    assert answer.status_code == 404
    assert answer.json()["message"] == 'The requested webhook "POST inactive" is not registered.'


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("a1-b2/items/video/7", 200),
        ("a1-b2/items/video/a%2Fb", 404),
        ("a1-b2/items/video", 404),
        ("a1-b2/items//7", 404),
        ("a1-b2/things/video/7", 404),
        ("A1-B2/items/video/7", 404),
        ("items/video/7", 404),
        ("items/:kind/:name", 404),
    ],
)
async def test_a_path_with_names_answers_below_its_id_only(front: Front, path: str, status: int) -> None:
    assert (await front.post(path, event())).status_code == status


def test_the_path_with_the_most_literal_segments_wins_and_names_are_read(front: Front) -> None:
    table = WebhookTable(front.settings)
    literal, named = Target("a1-b2/items/image/7", is_test=False), parse_target("POST", "/webhook/a1-b2/items/a%20b/7/")
    assert [table.find(target, "POST").name for target in (literal, named)] == ["by-literal", "by-name"]
    assert (table.params(literal), table.params(named)) == ({"name": "7"}, {"kind": "a b", "name": "7"})
    assert table.params(Target("several", is_test=False)) == {}


@pytest.mark.parametrize(("password", "status"), [(SECRET, 200), ("old", 401)])
async def test_any_live_secret_opens_the_door(front: Front, password: str, status: int) -> None:
    answer = await front.post("rotated", event(), {"Authorization": basic(f"odoo:{password}")})
    assert answer.status_code == status


def set_secret(file: Path, content: str | None) -> None:
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_text(content, encoding="utf-8")


async def test_credentials_make_a_webhook_known_and_their_loss_is_our_fault(front: Front) -> None:
    auth = front.settings.routes["fleeting"].auth
    assert isinstance(auth, HeaderAuth)
    assert isinstance(auth.secret, str)
    file = Path(auth.secret.removeprefix("file:"))
    seen = []
    for content in (None, "made-up-fleeting-key", None):
        set_secret(file, content)
        seen.append(await front.post("fleeting", event(), {"X-Api-Key": "made-up-fleeting-key"}))
    assert [answer.status_code for answer in seen] == [404, 200, 503]
    assert seen[-1].headers["retry-after"] == "5"


async def test_addresses_count_and_what_the_caller_says_of_its_own_does_not(front: Front) -> None:
    allowed = await front.post("networks", event())
    denied = await front.post("elsewhere", event(), {"X-Forwarded-For": "10.0.0.1"})
    assert (allowed.status_code, denied.status_code) == (200, 403)
    assert denied.text == "IP is not allowed to access the webhook!"
    assert {"www-authenticate", "content-type", "content-length"} & set(denied.headers) == set()


@pytest.mark.parametrize(
    ("agent", "bot"),
    [
        ("python-requests/2.31.0", True),
        ("Odoo/17.0", True),
        ("curl/8.5.0", True),
        ("Java/17.0.1", True),
        ("node", True),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/116.0", True),
        ("x" * 60, True),
        ("", False),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", False),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0", False),
    ],
)
def test_programs_are_told_from_browsers(agent: str, bot: bool) -> None:
    assert is_bot(agent) is bot


async def test_bots_are_turned_away_where_they_are_not_wanted(front: Front) -> None:
    answers = [await front.post("no-bots", event(), {"User-Agent": agent}) for agent in ("Odoo/17.0", "")]
    assert [answer.status_code for answer in answers] == [403, 200]
    assert answers[0].text == "Authorization data is wrong!"


async def test_a_fixed_answer_has_its_status_data_and_headers(front: Front) -> None:
    answer = await front.post("fixed", event())
    assert (answer.status_code, answer.text) == (202, "queued")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-flow"] == "f"
    assert answer.headers["content-security-policy"].startswith(SANDBOX)
    assert answer.headers["etag"] == 'W/"6-78x3FB2/06uckxW10Ey0Yt5buSE"'


async def test_an_answer_may_have_no_body(front: Front) -> None:
    silent, no_content = await front.post("silent", event()), await front.post("no-content", event())
    assert (silent.status_code, silent.content, silent.headers["transfer-encoding"]) == (201, b"", "chunked")
    assert silent.headers["content-type"] == "application/json; charset=utf-8"
    assert "etag" not in silent.headers
    assert (no_content.status_code, no_content.content, no_content.headers["x-flow"]) == (204, b"", "f")
    assert {"content-type", "content-length", "vary", "transfer-encoding"} & set(no_content.headers) == set()


async def test_a_refusal_is_never_replaced_by_the_fixed_answer(front: Front) -> None:
    answer = await front.post_bytes("fixed", b"{", {"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, 422)


@pytest.mark.parametrize(
    ("known", "more", "status"),
    [
        ("*", {}, 304),
        ('W/"6-78x3FB2/06uckxW10Ey0Yt5buSE"', {}, 304),
        ('"x", "6-78x3FB2/06uckxW10Ey0Yt5buSE"', {}, 304),
        ('"x"', {}, 202),
        ("*", {"Cache-Control": "no-cache"}, 202),
    ],
)
async def test_get_knows_what_the_caller_has(front: Front, known: str, more: dict[str, str], status: int) -> None:
    answer = await front.http.get("/webhook/fixed", headers={"If-None-Match": known, **more})
    posted = await front.post("fixed", event(), {"If-None-Match": known})
    assert (answer.status_code, posted.status_code) == (status, 202)
    if status == 304:
        assert answer.content == b""
        assert {"content-type", "content-length", "vary"} & set(answer.headers) == set()
        assert answer.headers["etag"] == posted.headers["etag"]


def cors(headers: dict[str, str]) -> dict[str, str]:
    prefix = "access-control-"
    return {name.removeprefix(prefix): value for name, value in headers.items() if name.startswith(prefix)}


@pytest.mark.parametrize(("origin", "told"), [(A, A), (B, B), (EVIL, A), ("null", A)])
async def test_only_allowed_origins_may_read_but_all_may_post(front: Front, origin: str, told: str) -> None:
    answer = await front.post("strict-cors", event(), {"Origin": origin})
    assert answer.status_code == 200
    assert cors(dict(answer.headers)) == {"allow-methods": "OPTIONS, POST", "allow-origin": told}


async def test_without_an_origin_there_are_no_cors_headers(front: Front) -> None:
    assert cors(dict((await front.post("strict-cors", event())).headers)) == {}


async def test_refusals_can_be_read_by_the_page_that_caused_them(front: Front) -> None:
    answers = [await front.post(path, event(), {"Origin": A}) for path in ("rotated", "no/such")]
    assert [cors(dict(answer.headers)) for answer in answers] == [
        {"allow-methods": "OPTIONS, POST", "allow-origin": A},
        {"allow-methods": "OPTIONS"},
    ]


@pytest.mark.parametrize(
    ("path", "asked", "status", "told"),
    [
        (
            "rotated",
            "POST",
            204,
            {"allow-methods": "OPTIONS, POST", "allow-origin": EVIL, "max-age": "300", "allow-headers": "x-a"},
        ),
        ("several", "DELETE", 204, {"allow-methods": "OPTIONS, GET, POST, PUT"}),
        ("no/such", "POST", 404, {"allow-methods": "OPTIONS"}),
    ],
)
async def test_a_preflight_needs_no_credentials(
    front: Front, path: str, asked: str, status: int, told: dict[str, str]
) -> None:
    headers = {"Origin": EVIL, "Access-Control-Request-Method": asked, "Access-Control-Request-Headers": "x-a"}
    answer = await front.http.options(f"/webhook/{path}", headers=headers)
    assert (answer.status_code, cors(dict(answer.headers))) == (status, told)


@pytest.mark.parametrize("path", ["rotated", "no/such"])
async def test_options_without_an_origin_is_an_empty_answer(front: Front, path: str) -> None:
    answer = await front.http.options(f"/webhook/{path}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["etag"] == 'W/"2-vyGp6PvFo4RvsFtPoIWeCReyIC8"'
