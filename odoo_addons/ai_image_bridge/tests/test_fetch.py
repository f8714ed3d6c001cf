"""Images that come as a URL."""

from ..models.outcomes import read_outcome
from .common import BridgeCase, make_image, success


class TestFetch(BridgeCase):
    def receive(self, request, data, path="/images/1", told=True):
        body = success("event", request.request_key, data, self.orchestrator.url + path)
        body["imageData"] = None
        if not told:
            body["hashValue"] = None
        bot = self.env.ref("ai_image_bridge.user_bot")
        return self.env["ai.image.request"].with_user(bot)._receive(read_outcome("event", body))

    def test_downloaded_after_the_callback_was_answered(self):
        data, request = make_image(), self.sent()
        self.orchestrator.answer("GET", "/images/1", (200, data))
        self.assertEqual(self.receive(request, data), "written")
        self.assertEqual((request.state, self.orchestrator.received), ("processing", []))
        self.assertEqual(self.receive(request, data), "duplicate")
        self.run_cron("_cron_fetch")
        self.assertEqual((request.state, request.image_count), ("completed", 1))
        self.assertEqual((request.image_ids.attachment_id.raw, request.image_ids.width), (data, 8))
        self.assertEqual(self.receive(request, data), "duplicate")
        self.assertEqual(request.image_count, 1)

    def test_what_is_not_there_yet_is_tried_again(self):
        data, request = make_image(), self.sent()
        self.orchestrator.answer("GET", "/images/1", (503, b""), (200, data))
        self.receive(request, data)
        self.run_cron("_cron_fetch")
        self.assertEqual((request.state, request.last_error), ("processing", "HTTP 503"))
        request.next_attempt_at = False
        self.run_cron("_cron_fetch")
        self.assertEqual((request.state, request.last_error), ("completed", False))

    def test_what_is_gone_or_no_image_fails_and_may_be_delivered_again(self):
        data = make_image()
        for answer in ((404, b""), (302, b"", {"Location": "http://127.0.0.1:9/"}), (200, b"<html></html>")):
            with self.subTest(answer[0]):
                request = self.sent()
                self.orchestrator.answer("GET", "/images/1", answer)
                self.receive(request, data, told=False)
                self.run_cron("_cron_fetch")
                self.assertEqual((request.state, request.error_code), ("failed", "IMAGE_EXTRACTION_FAILURE"))
                self.orchestrator.answer("GET", "/images/1", (200, data))
                self.assertEqual(self.receive(request, data, told=False), "written")
                self.run_cron("_cron_fetch")
                self.assertEqual((request.state, request.image_count), ("completed", 1))

    def test_other_bytes_than_told_are_not_taken(self):
        request = self.sent()
        self.orchestrator.answer("GET", "/images/1", (200, make_image(1)))
        self.receive(request, make_image(2))
        self.run_cron("_cron_fetch")
        self.assertEqual((request.state, request.image_count), ("processing", 0))
        self.assertIn("SHA-256", request.last_error)

    def test_too_large_an_image_is_not_taken(self):
        request = self.sent()
        self.configure(body_limit_mb=1)
        self.orchestrator.answer("GET", "/images/1", (200, b"x" * (2**20 + 1)))
        self.receive(request, make_image())
        self.run_cron("_cron_fetch")
        self.assertEqual((request.state, request.last_error), ("failed", "HTTP 413"))

    def test_a_cancelled_request_keeps_the_image_and_stays_cancelled(self):
        data, request = make_image(), self.sent()
        request.write({"state": "cancelled"})
        self.orchestrator.answer("GET", "/images/1", (200, data))
        self.assertEqual(self.receive(request, data), "kept")
        self.run_cron("_cron_fetch")
        self.assertEqual((request.state, request.image_count), ("cancelled", 1))
