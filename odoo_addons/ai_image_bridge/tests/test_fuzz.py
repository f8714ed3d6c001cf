"""Hostile callbacks: every field wrong, missing, huge. Never a 500, never something half written."""

import base64
import copy
import json
import random
import re

from .common import CallbackCase, failure, in_envelope, make_image, success

DIALECTS = ("event", "correlation", "request", "adapter", "endpoint")
SURVIVED = {200, 400, 401, 404, 409, 413, 422}


def _deep(levels):
    nested = "x"
    for _level in range(levels):
        nested = {"a": [nested]}
    return nested


HOSTILE = (
    None,
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "x" * 300_000,
    "'; DROP TABLE ai_image_request; --",
    "../../etc/passwd",
    "{{7*7}}<script>alert(1)</script>",
    "data:,x",
    "data:text/html;base64," + base64.b64encode(b"<script>").decode(),
    "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode(),
    "=" * 10,
    "AAAA",
    "🎨" * 50,
    True,
    False,
    0,
    -1,
    2**31,
    2**63,
    10**400,
    1e308,
    -0.5,
    [],
    [[]],
    [{}] * 100,
    {},
    {"a": None},
    _deep(100),
)


class TestFuzz(CallbackCase):
    def assert_survived(self, request, endpoint, body):
        answer = self.call(endpoint, body)
        shown = str(body)[:200]
        self.assertIn(answer.status_code, SURVIVED, shown)
        self.assertTrue(answer.headers["Content-Type"].startswith("application/json"), shown)
        said = answer.json()
        self.assertTrue(answer.status_code == 200 or said.get("error"), shown)
        if answer.status_code != 200:
            self.assertEqual((request.state, request.image_count, request.result_digest), ("sent", 0, False), shown)
        elif request.state == "completed":
            self.assertEqual(request.image_count, 1, shown)
        return answer.status_code

    def test_every_field_with_every_hostile_value(self):
        for dialect in DIALECTS:
            for make in (lambda key, d=dialect: success(d, key, make_image()), lambda key, d=dialect: failure(d, key)):
                for path in _paths(make("x")):
                    request = self.sent()
                    for value in random.Random(f"{dialect}{path}").sample(HOSTILE, 9):
                        if (
                            self.assert_survived(request, dialect, _changed(make(request.request_key), path, value))
                            == 200
                        ):
                            request = self.sent()
                    self.assert_survived(request, dialect, _without(make(request.request_key), path))

    def test_random_bodies(self):
        chance = random.Random(20)
        for _round in range(150):
            dialect = chance.choice(DIALECTS)
            request = self.sent()
            body = (
                success(dialect, request.request_key, make_image())
                if chance.random() < 0.6
                else failure(dialect, request.request_key)
            )
            for _change in range(chance.randint(1, 4)):
                paths = _paths(body)
                if not paths:
                    break
                body = _changed(body, chance.choice(paths), copy.deepcopy(chance.choice(HOSTILE)))
            self.assert_survived(
                request, dialect, in_envelope(body, chance.choice(HOSTILE[:20])) if chance.random() < 0.3 else body
            )

    def test_random_bytes(self):
        chance = random.Random(21)
        request = self.sent()
        whole = json.dumps(success("event", request.request_key, make_image())).encode()
        for _round in range(100):
            content = bytearray(whole)
            for _change in range(chance.randint(1, 5)):
                content[chance.randrange(len(content))] = chance.randrange(256)
            if self.assert_survived(request, "event", bytes(content[: chance.randint(1, len(content))])) == 200:
                request = self.sent()
                whole = re.sub(rb'"requestId": "[^"]*"', f'"requestId": "{request.request_key}"'.encode(), whole)

    def test_wrong_fields_are_named(self):
        key = self.sent().request_key
        for body, named in (
            ({"status": "completed"}, "requestId"),
            ({"requestId": key}, "status"),
            ({"requestId": key, "status": "maybe"}, "status"),
            ({"requestId": key, "status": "completed"}, "imageData or imageUrl"),
            ({"requestId": key, "status": "completed", "imageData": "no base64!"}, "imageData"),
            ({"requestId": key, "status": "completed", "imageData": "AAAA", "imageMetadata": []}, "imageMetadata"),
            ({**success("event", key, make_image()), "hashValue": "0" * 64}, "SHA-256"),
            ({**success("event", key, make_image()), "imageMetadata": {"width": "wide"}}, "imageMetadata.width"),
        ):
            answer = self.call("event", body)
            self.assertEqual(answer.status_code, 422)
            self.assertIn(named, answer.json()["message"])


def _paths(body, before=()):
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    found = []
    for name, value in items:
        found.append((*before, name))
        found += _paths(value, (*before, name))
    return found


def _changed(body, path, value):
    changed = copy.deepcopy(body)
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return changed


def _without(body, path):
    changed = copy.deepcopy(body)
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
    del holder[path[-1]]
    return changed
