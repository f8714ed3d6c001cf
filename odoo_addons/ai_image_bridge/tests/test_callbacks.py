"""Callbacks over HTTP: every endpoint, every status code."""

import base64
import json

from odoo.tools import mute_logger

from .common import PATHS, SECRET, CallbackCase, failure, in_envelope, make_image, signature, success

DIALECTS = ("event", "correlation", "request", "adapter", "endpoint")
AUTHENTICATED = "odoo.addons.ai_image_bridge.controllers.handling"


class TestCallbacks(CallbackCase):
    def test_every_endpoint_takes_an_image_bare_and_in_the_envelope(self):
        for number, endpoint in enumerate((*DIALECTS, "ours")):
            dialect = "event" if endpoint == "ours" else endpoint
            for wrap in (dict, in_envelope):
                with self.subTest(endpoint, wrap=wrap.__name__):
                    request, data = self.sent(), make_image(number)
                    answer = self.call(endpoint, wrap(success(dialect, request.request_key, data)))
                    self.assertEqual(answer.status_code, 200, answer.text)
                    said = answer.json()["result"] if wrap is in_envelope else answer.json()
                    self.assertEqual(said, {"status": "success" if endpoint in ("adapter", "endpoint") else "ok"})
                    if wrap is in_envelope:
                        self.assertEqual((answer.json()["jsonrpc"], answer.json()["id"]), ("2.0", 5))
                    self.assertEqual(request.state, "completed")
                    image = request.image_ids
                    self.assertEqual((image.attachment_id.raw, image.size, image.width), (data, len(data), 8))
                    self.assertEqual((image.mimetype, image.create_uid.login), ("image/png", "__ai_image_bridge_bot__"))
                    self.assertEqual(base64.b64decode(request.image), data)
                    self.assertIn("arrived", str(request.message_ids[0].body))

    def test_what_is_known_of_an_image_is_kept(self):
        request = self.sent()
        self.call("correlation", success("correlation", request.request_key, make_image()))
        image = request.image_ids
        self.assertEqual((image.cost, image.currency, image.seed, image.service), (0.04, "USD", "7", "flux-1"))

    def test_an_image_stays_what_was_delivered(self):
        request, data = self.sent(), make_image(size=(4000, 30))
        self.call("event", success("event", request.request_key, data))
        self.assertEqual(request.image_ids.attachment_id.raw, data)

    def test_several_images_at_once(self):
        request = self.sent()
        body = success("adapter", request.request_key, make_image(1))
        body["images"] += success("adapter", "x", make_image(2))["images"] + body["images"]
        self.assertEqual(self.call("adapter", in_envelope(body)).status_code, 200)
        self.assertEqual((request.image_count, request.image_ids.mapped("index")), (2, [0, 1]))

    def test_every_endpoint_takes_a_failure(self):
        for endpoint in DIALECTS:
            for code, state, parked in (
                ("INPUT_VALIDATION_ERROR", "rejected", False),
                ("CONTENT_REJECTED", "rejected", False),
                ("CANCELLED", "cancelled", False),
                ("EXPIRED", "failed", False),
                ("AI_SERVICE_TIMEOUT", "failed", True),
            ):
                with self.subTest(endpoint, code=code):
                    request = self.sent()
                    answer = self.call(endpoint, failure(endpoint, request.request_key, code))
                    self.assertEqual(answer.status_code, 200, answer.text)
                    self.assertEqual((request.state, request.parked, request.error_code), (state, parked, code))
                    self.assertEqual(request.last_error, "The service is away.")

    def test_twice_is_once(self):
        request = self.sent()
        body = success("event", request.request_key, make_image())
        self.assertNotIn("duplicate", self.call("event", body).json())
        messages = len(request.message_ids)
        for endpoint in ("event", "ours"):
            self.assertTrue(self.call(endpoint, body).json()["duplicate"])
        self.assertEqual((request.image_count, len(request.message_ids)), (1, messages))

    def test_other_content_after_completion_is_refused(self):
        request = self.sent()
        self.call("event", success("event", request.request_key, make_image(1)))
        for body in (success("event", request.request_key, make_image(2)), failure("event", request.request_key)):
            answer = self.call("event", body)
            self.assertEqual(answer.status_code, 409)
            self.assertTrue(answer.json()["message"])
        self.assertEqual((request.state, request.image_count), ("completed", 1))

    def test_a_success_after_a_failure_wins(self):
        request = self.sent()
        self.call("event", failure("event", request.request_key))
        self.assertTrue(self.call("event", failure("event", request.request_key)).json()["duplicate"])
        self.call("event", failure("event", request.request_key, "AI_SERVICE_TIMEOUT"))
        self.assertEqual(request.error_code, "AI_SERVICE_TIMEOUT")
        self.call("event", success("event", request.request_key, make_image()))
        self.assertEqual((request.state, request.parked, request.error_code), ("completed", False, False))

    def test_a_cancelled_request_keeps_the_image_and_stays_cancelled(self):
        request = self.sent()
        request.write({"state": "cancelled"})
        self.assertEqual(self.call("event", failure("event", request.request_key)).status_code, 200)
        answer = self.call("event", success("event", request.request_key, make_image()))
        self.assertEqual((answer.status_code, request.state, request.image_count), (200, "cancelled", 1))

    def test_an_outcome_may_be_faster_than_its_acknowledgement_but_not_than_its_request(self):
        queued, draft = self.queued(), self.make_request()
        self.assertEqual(self.call("event", success("event", queued.request_key, make_image())).status_code, 200)
        self.assertEqual(queued.state, "completed")
        self.assertEqual(self.call("event", success("event", draft.request_key, make_image())).status_code, 409)

    def test_who_has_no_secret_gets_401_whatever_the_body(self):
        request = self.sent()
        body = json.dumps(success("event", request.request_key, make_image())).encode()
        wrong = (
            {},
            {"X-Api-Key": "x"},
            {"X-Api-Key": SECRET + "x"},
            {"X-Api-Key": ""},
            {"X-Api-Key": "s\u00e9cret"},
            {"Authorization": "Bearer x"},
            {**signature(b"other"), "X-Api-Key": SECRET},
            signature(body, timestamp=1),
        )
        for endpoint in PATHS:
            for headers in wrong:
                for content in (body, b"{", b""):
                    answer = self.call(endpoint, content, headers)
                    self.assertEqual(answer.status_code, 401, (endpoint, headers))
                    self.assertEqual(answer.json()["status"], "error")
                    self.assertNotIn("Set-Cookie", answer.headers)
        self.assertEqual(request.state, "sent")

    def test_ours_takes_signatures_only(self):
        request = self.sent()
        body = success("event", request.request_key, make_image())
        self.assertEqual(self.call("ours", body, {"X-Api-Key": SECRET}).status_code, 401)
        old = signature(json.dumps(body).encode(), b"made-up former secret 0123456789")
        self.assertEqual(self.call("ours", body, old).status_code, 200)

    def test_both_secrets_live_while_they_are_rotated(self):
        self.configure(callback_secret_old="former")
        for secret, status in ((SECRET, 200), ("former", 200), ("other", 401)):
            request = self.sent()
            answer = self.call("event", failure("event", request.request_key), {"X-Api-Key": secret})
            self.assertEqual(answer.status_code, status)

    def test_without_a_secret_in_the_settings_nobody_passes(self):
        self.configure(callback_secret="", callback_secret_old="")
        with self.assertLogs(AUTHENTICATED, "ERROR"):
            self.assertEqual(self.call("event", {}, {"X-Api-Key": ""}).status_code, 401)
        with self.assertLogs(AUTHENTICATED, "ERROR"):
            self.assertEqual(self.call("ours", {}, signature(b"{}", b"")).status_code, 401)

    def test_the_body_token_of_the_endpoint_dialect(self):
        self.configure(security_token="body token")
        request = self.sent()
        body = failure("endpoint", request.request_key)
        for token in (None, "x", 5, ["body token"]):
            self.assertEqual(self.call("endpoint", {**body, "security_token": token}).status_code, 401)
        self.assertEqual(self.call("endpoint", {**body, "security_token": "body token"}).status_code, 200)

    def test_unknown_is_404_in_both_envelopes(self):
        body = failure("adapter", "never-seen")
        self.assertEqual(self.call("adapter", body).status_code, 404)
        answer = self.call("adapter", in_envelope(body))
        self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (404, 404))

    def test_bodies_that_are_none(self):
        for body in (b"", b"{", b"[]", b"null", b"5", b'"x"', b"\xff\xfe\xfd", b"[" * 200_000, b'{"a":NaN}'):
            self.assertEqual(self.call("event", body).status_code, 400, body[:20])
        for params in (None, [], "x", 5):
            self.assertEqual(self.call("adapter", {"jsonrpc": "2.0", "params": params}).status_code, 400)

    def test_media_types_other_than_json_are_415(self):
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"):
            answer = self.call("event", {}, {"X-Api-Key": SECRET, "Content-Type": media_type})
            self.assertEqual(answer.status_code, 415, media_type)
        packed = {"X-Api-Key": SECRET, "Content-Encoding": "gzip"}
        self.assertEqual(self.call("event", {}, packed).status_code, 415)
        problem = {"X-Api-Key": SECRET, "Content-Type": "application/problem+json"}
        self.assertEqual(self.call("event", {}, problem).status_code, 422)

    def test_too_large_is_413(self):
        self.configure(body_limit_mb=1)
        body = json.dumps({"requestId": "x" * 2**20}).encode()
        for headers in ({"X-Api-Key": SECRET}, signature(body)):
            answer = self.call("event", body, headers)
            self.assertEqual((answer.status_code, answer.json()["status"]), (413, "error"))

    def test_the_limit_counts_authenticated_calls_of_one_caller(self):
        self.configure(callback_rate_limit=3)
        key = self.sent().request_key
        for _call in range(4):
            self.assertEqual(self.call("event", {}, {}).status_code, 401)
        codes = [self.call("event", failure("event", key)).status_code for _call in range(5)]
        self.assertEqual(codes, [200, 200, 200, 429, 429])
        answer = self.call("event", {})
        self.assertTrue(0 < int(answer.headers["Retry-After"]) <= 60)
        self.assertEqual(self.call("request", failure("request", key)).status_code, 200)

    def test_only_post(self):
        with mute_logger("odoo.http"):
            self.assertEqual(self.url_open(PATHS["event"]).status_code, 405)

    def test_urls_of_strangers_are_refused(self):
        for url in (
            "http://127.0.0.1:10/x",
            "https://127.0.0.1:9/x",
            "http://127.0.0.1:9@evil.example/x",
            "file:///etc/passwd",
            "gopher://127.0.0.1:9/",
            "//127.0.0.1:9/x",
            "http://[",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:9/\r\nX: y",
        ):
            request = self.sent()
            answer = self.call("event", success("event", request.request_key, url=url))
            self.assertEqual((answer.status_code, request.state), (422, "sent"), url)
        request = self.sent()
        answer = self.call("event", success("event", request.request_key, url="http://127.0.0.1:9/x"))
        self.assertEqual((answer.status_code, request.state), (200, "processing"))

    def test_data_uris_are_inline_images(self):
        text = "data:image/png;base64," + base64.b64encode(make_image()).decode()
        for values in ({"image_url": text}, {"image_data": text}):
            request = self.sent()
            body = {**success("request", request.request_key), **values}
            self.assertEqual(self.call("request", body).status_code, 200)
            self.assertEqual(request.image_ids.attachment_id.raw, make_image())
