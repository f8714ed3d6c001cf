"""The outbox against a real socket."""

import json
from datetime import timedelta

from odoo.exceptions import UserError
from odoo.tests.common import new_test_user

from ..models.actions import utc_now
from .common import BridgeCase


class TestOutbox(BridgeCase):
    def test_the_business_transaction_only_writes_and_wakes_the_cron(self):
        cron = self.env.ref("ai_image_bridge.cron_send")
        before = self.env["ir.cron.trigger"].search_count([("cron_id", "=", cron.id)])
        request = self.queued()
        self.assertEqual((request.state, request.dialect, request.attempts), ("queued", "event", 0))
        self.assertEqual(self.orchestrator.received, [])
        self.assertEqual(self.env["ir.cron.trigger"].search_count([("cron_id", "=", cron.id)]), before + 1)

    def test_sent_once_under_its_key(self):
        request = self.queued(seed="0", negative_prompt="blur", campaign="spring", custom_params='{"x": 0}')
        self.send()
        self.send()
        (came,) = self.orchestrator.webhooks()
        self.assertEqual((came.path, came.headers["X-Api-Key"]), ("/webhook/ai/events", "hook"))
        self.assertEqual(came.headers["Idempotency-Key"], request.request_key)
        self.assertEqual(came.headers["X-Request-Priority"], request.priority)
        self.assertEqual((came.body["requestId"], came.body["prompt"]), (request.request_key, "a red bicycle"))
        self.assertEqual((came.body["seed"], came.body["campaignId"]), (0, "spring"))
        self.assertNotIn("cfgScale", came.body)
        self.assertEqual((request.state, request.attempts), ("sent", 1))
        self.assertTrue(request.sent_at)

    def test_every_dialect_sends_its_documented_body(self):
        custom = {"sampler": "euler", "flag": False, "ai_service_type": "COMFY_UI"}
        for dialect, path, header, required in (
            (
                "correlation",
                "influencegen/ai/image_generate",
                "Authorization",
                "correlation_id prompt model_preference",
            ),
            (
                "request",
                "influencegen/ai-image-generate",
                "X-Api-Key",
                "request_id prompt ai_service_type model_name resolution aspect_ratio sampler flag",
            ),
            ("adapter", "influence-gen/generate", "Authorization", "request_id prompt user_id influencer_profile_id"),
            (
                "endpoint",
                "influence-gen/endpoint",
                "X-N8N-Api-Key",
                "ai_generation_request_id params odoo_callback_url",
            ),
        ):
            with self.subTest(dialect):
                self.configure(dialect=dialect, security_token="body token")
                self.queued(custom_params=json.dumps(custom), resolution="1024x768", campaign="12")
                self.send()
                came = self.orchestrator.webhooks()[-1]
                self.assertEqual(came.path, f"/webhook/{path}")
                self.assertIn("hook", came.headers[header])
                self.assertLessEqual(set(required.split()), set(came.body))
                if dialect == "request":
                    self.assertEqual((came.body["aspect_ratio"], came.body["ai_service_type"]), ("4:3", "COMFY_UI"))
                if dialect == "adapter":
                    self.assertEqual((came.body["campaign_id"], came.body["custom_params"]["flag"]), (12, False))
                if dialect == "endpoint":
                    self.assertEqual(came.body["security_token"], "body token")
                    self.assertTrue(came.body["odoo_callback_url"].endswith("/influence_gen/ai/callback/image_result"))
                    self.assertEqual(came.body["params"]["sampler"], "euler")

    def test_a_secret_is_not_stored_in_the_payload(self):
        self.configure(dialect="endpoint", security_token="body token")
        self.assertNotIn("body token", self.queued().payload)

    def test_one_key_always_carries_one_content(self):
        request = self.queued()
        self.orchestrator.answer("POST", "/webhook/", (503, {}), (200, {}))
        self.send()
        self.configure(dialect="adapter", default_model="other")
        request.next_attempt_at = False
        self.send()
        first, second = self.orchestrator.webhooks()
        self.assertEqual(first.body, second.body)
        self.assertEqual(first.path, second.path)

    def test_trouble_is_retried_later_and_named(self):
        for status in (408, 425, 429, 500, 502, 503):
            with self.subTest(status):
                self.orchestrator.answer("POST", "/webhook/", (status, {"message": "busy"}))
                request = self.queued()
                self.send()
                self.assertEqual((request.state, request.attempts), ("queued", 1))
                self.assertIn(f"HTTP {status}: busy", request.last_error)
                self.assertGreater(request.next_attempt_at, utc_now())
                request.action_cancel()

    def test_retry_after_is_honoured(self):
        self.orchestrator.answer("POST", "/webhook/", (429, {}, {"Retry-After": "600"}))
        request = self.queued()
        self.send()
        self.assertGreater(request.next_attempt_at, utc_now() + timedelta(seconds=500))

    def test_refusals_are_final(self):
        for status in (302, 400, 401, 404, 409, 413, 422):
            with self.subTest(status):
                self.orchestrator.answer("POST", "/webhook/", (status, {"message": "no"}, {"Location": "/elsewhere"}))
                request = self.queued()
                self.send()
                self.assertEqual((request.state, request.error_code), ("failed", f"HTTP_{status}"))
                self.assertFalse(request.parked)

    def test_no_answer_is_retried_under_the_same_key_until_tries_run_out(self):
        self.configure(orchestrator_url="http://127.0.0.1:9", max_tries=2)
        request = self.queued()
        key = request.request_key
        self.send()
        self.assertEqual((request.state, request.attempts), ("queued", 1))
        request.next_attempt_at = False
        self.send()
        self.assertEqual((request.state, request.error_code, request.attempts), ("failed", "MAX_TRIES", 2))
        self.configure(orchestrator_url=self.orchestrator.url)
        request.action_retry()
        self.send()
        self.assertEqual((request.state, request.request_key), ("sent", key))

    def test_a_missing_or_insecure_address_is_told_and_nothing_is_sent(self):
        for url in ("", "http://ai.example"):
            self.configure(orchestrator_url=url)
            request = self.queued()
            self.send()
            self.assertEqual(request.state, "queued")
            self.assertIn("orchestrator URL", request.last_error)
            request.action_cancel()

    def test_one_bad_row_does_not_stop_the_others(self):
        bad, good = self.queued(), self.queued()
        bad.payload = "no json"
        with self.assertLogs("odoo.addons.ai_image_bridge.models.outbox", "ERROR"):
            self.send()
        self.assertEqual((bad.state, good.state), ("queued", "sent"))

    def test_what_a_person_waits_for_goes_first(self):
        keys = [self.queued(priority=priority).request_key for priority in ("bulk", "normal", "interactive")]
        self.send()
        self.assertEqual([one.body["requestId"] for one in self.orchestrator.webhooks()], keys[::-1])

    def test_a_short_trouble_is_over_within_one_run(self):
        self.orchestrator.answer("POST", "/webhook/", (503, {}), (200, {}))
        request = self.queued()
        self.run_cron("_cron_send", patience_s=10)
        self.assertEqual((request.state, request.attempts), ("sent", 2))

    def test_cancelled_while_it_was_on_the_wire(self):
        request = self.queued()
        leased = self.queued()
        leased.write({"state": "cancelled"})
        leased._note_overtaken(True)
        self.assertEqual(self.orchestrator.received[-1].path, f"/api/requests/{leased.request_key}/cancel?route=shop")
        self.assertEqual((request.state, leased.state), ("queued", "cancelled"))

    def test_a_fast_outcome_is_not_overwritten_by_its_acknowledgement(self):
        request = self.queued()
        request.write({"state": "completed"})
        request._note_overtaken(True)
        self.assertEqual(request.state, "completed")
        self.assertTrue(request.sent_at)

    def test_the_quota_counts_by_user_and_utc_day(self):
        self.configure(daily_quota=2)
        painted = self.env["ai.image.request"].with_user(self.user)
        for _request in range(2):
            painted.create({"prompt": "x"}).action_generate()
        third = painted.create({"prompt": "x"})
        with self.assertRaisesRegex(UserError, "quota"), self.env.cr.savepoint():
            third.action_generate()
        self.assertEqual(third.state, "draft")
        painted.with_user(self.other).create({"prompt": "x"}).action_generate()
        self.env.cr.execute("UPDATE ai_image_quota SET day = day - 1")
        third.action_generate()
        self.assertEqual(third.state, "queued")

    def test_the_quota_takes_all_or_nothing(self):
        self.configure(daily_quota=2)
        user = new_test_user(self.env, "printer", "ai_image_bridge.group_user")
        three = self.env["ai.image.request"].with_user(user).create([{"prompt": str(n)} for n in range(3)])
        with self.assertRaisesRegex(UserError, "2 left"), self.env.cr.savepoint():
            three.action_generate()
        three[:2].action_generate()
        self.assertEqual(three.mapped("state"), ["queued", "queued", "draft"])

    def test_a_leased_row_is_sent_by_nobody_else(self):
        request = self.queued()
        request.next_attempt_at = utc_now() + timedelta(seconds=60)
        self.send()
        self.assertEqual(self.orchestrator.received, [])
