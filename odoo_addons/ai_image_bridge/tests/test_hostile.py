"""Users who try what only the requests themselves may, and outcomes of others' making."""

import json

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import common

from ..models.actions import utc_now
from .common import BridgeCase, CallbackCase, make_image, success

SMUGGLED = {
    "state": "completed",
    "parked": True,
    "attempts": 9,
    "request_key": "chosen",
    "result_digest": "x",
    "sent_at": "2026-01-01 00:00:00",
}


class TestSmuggling(BridgeCase):
    def made(self, requests):
        request = requests.with_user(self.user).create({"prompt": "x"})
        self.assertEqual((request.state, request.parked, request.attempts), ("draft", False, 0))
        self.assertEqual((request.result_digest, request.sent_at), (False, False))
        self.assertNotEqual(request.request_key, "chosen")

    def test_the_context_names_no_state_and_no_key(self):
        context = {f"default_{name}": value for name, value in SMUGGLED.items()}
        self.made(self.env["ai.image.request"].with_context(**context))

    def test_a_users_own_defaults_name_no_state_and_no_key(self):
        for name, value in SMUGGLED.items():
            self.env["ir.default"].set("ai.image.request", name, value, user_id=self.user.id)
        self.made(self.env["ai.image.request"])

    def test_nobody_brings_a_payload_or_images(self):
        result = self.env["ai.image.result"].create(
            {"request_id": self.sent().id, "attachment_id": self.env["ir.attachment"].create({"name": "x"}).id}
        )
        for name, value in (("payload", "{}"), ("pending_images", "{}"), ("image_ids", [(4, result.id)])):
            requests = self.env["ai.image.request"].with_context(**{f"default_{name}": value})
            with self.assertRaises(AccessError, msg=name), self.env.cr.savepoint():
                requests.with_user(self.user).create({"prompt": "x"})

    def test_portal_and_public_have_no_way_in(self):
        portal = common.new_test_user(self.env, "visitor", "base.group_portal")
        request = self.sent()
        for user in (portal, self.env.ref("base.public_user")):
            theirs = request.with_user(user)
            for call in (
                lambda theirs=theirs: theirs.search([]),
                lambda theirs=theirs: theirs.read(["prompt"]),
                lambda theirs=theirs: theirs.create({"prompt": "x"}),
                theirs.action_cancel,
                theirs.action_retry,
                theirs.action_resend,
                theirs.action_reopen,
                lambda user=user: self.env["ai.image.result"].with_user(user).search([]),
                lambda user=user: self.env["ai.image.generate"].with_user(user).create({"prompt": "x"}),
            ):
                with self.assertRaises(AccessError):
                    call()

    def test_only_what_can_be_sent_is_a_custom_parameter(self):
        for text in ('{"x": NaN}', '{"x": 1e999}', r'{"x": "\ud800"}', r'{"\udfff": 1}'):
            with self.assertRaises(ValidationError, msg=text):
                self.make_request(custom_params=text)
        with self.assertRaises(ValidationError):
            self.make_request(cfg_scale=float("nan"))
        self.assertIn("é", self.queued(custom_params=r'{"x": "\u00e9"}', prompt="é").payload)

    def test_what_the_orchestrator_says_is_text(self):
        self.env.company.ai_image_failure_activity = True
        self.orchestrator.answer("POST", "/webhook/", (400, {"message": "<a href='https://evil.example'>pay</a>"}))
        request = self.queued(requester_id=self.user.id)
        self.send()
        self.assertNotRegex(request.activity_ids.note, "<a [^>]*evil")
        self.assertIn("&lt;a href", request.activity_ids.note)

    def test_the_web_interface_is_a_page(self):
        for url in ("javascript:alert(1)", "data:text/html,x", "//evil.example", "http://["):
            with self.assertRaises(ValidationError, msg=url):
                self.env["res.config.settings"].create({"ai_image_ui_url": url})
        self.env["res.config.settings"].create({"ai_image_ui_url": "http://temporal.example:8233"})


class TestSending(BridgeCase):
    def test_what_was_leased_by_one_sender_is_nobody_elses(self):
        self.queued()
        with self.enter_registry_test_mode(), self.registry.cursor() as cr:
            requests = self.env(cr=cr)["ai.image.request"]
            self.assertTrue(requests._claim("state = 'queued'"))
            self.assertFalse(requests._claim("state = 'queued'"))

    def test_a_sender_that_died_is_followed_under_the_same_key(self):
        request = self.queued()
        with self.enter_registry_test_mode(), self.registry.cursor() as cr:
            self.assertTrue(self.env(cr=cr)["ai.image.request"]._claim("state = 'queued'")._begun())
        self.env.invalidate_all()
        self.send()
        self.assertEqual((request.state, self.orchestrator.webhooks()), ("queued", []))
        self.assertGreater(request.next_attempt_at, utc_now())
        request.next_attempt_at = utc_now()
        self.send()
        self.assertEqual((request.state, request.attempts), ("sent", 2))
        self.assertEqual(self.orchestrator.webhooks()[0].headers["Idempotency-Key"], request.request_key)

    def test_what_is_cancelled_between_lease_and_post_is_not_posted(self):
        request = self.queued()
        with self.enter_registry_test_mode(), self.registry.cursor() as cr:
            leased = self.env(cr=cr)["ai.image.request"]._claim("state = 'queued'")
            leased.action_cancel()
            leased.flush_recordset()
            leased._send_leased()
        self.env.invalidate_all()
        self.assertEqual((request.state, self.orchestrator.received), ("cancelled", []))

    def test_what_is_cancelled_while_its_answer_is_lost_is_cancelled_there(self):
        request = self.queued()
        request.write({"state": "cancelled"})
        request._note_answer(None, "no answer")
        self.assertEqual(self.orchestrator.received[-1].path, f"/api/requests/{request.request_key}/cancel?route=shop")

    def test_a_change_of_state_reads_no_image(self):
        request = self.sent()
        self.env.invalidate_all()
        request.write({"state": "processing"})
        self.assertFalse(self.env.cache.contains(request, request._fields["image"]))
        self.assertFalse(self.env.cache.contains(request, self.env["ai.image.result"]._fields["image"]))


class TestRepairs(BridgeCase):
    def test_what_has_no_outcome_is_sent_again_under_its_key(self):
        request, done, draft = self.sent(), self.sent(), self.make_request()
        key = request.request_key
        done.write({"state": "completed", "result_digest": "x"})
        every = request | done | draft
        self.assertEqual(every.action_resend(), request.ids)
        self.assertEqual(every.mapped("state"), ["queued", "completed", "draft"])
        self.assertEqual(every.action_resend(), [])
        self.send()
        self.assertEqual([one.body["requestId"] for one in self.orchestrator.webhooks()], [key])
        fetching = self.sent()
        fetching.write({"state": "processing", "result_digest": "x"})
        self.assertEqual(fetching.action_resend(), [])

    def test_managers_and_the_bot_repair_and_users_do_not(self):
        mine = self.sent()
        self.env.cr.execute("UPDATE ai_image_request SET requester_id = %s WHERE id = %s", [self.user.id, mine.id])
        mine.invalidate_recordset()
        for method in ("action_resend", "action_reopen"):
            with self.assertRaises(AccessError):
                getattr(mine.with_user(self.user), method)()
        bot = self.env.ref("ai_image_bridge.user_bot")
        self.assertEqual(mine.with_user(bot).action_resend(), mine.ids)
        mine.write({"state": "sent"})
        self.assertEqual(mine.with_user(self.manager).action_resend(), mine.ids)
        with self.assertRaises(UserError):
            mine.with_user(self.manager).write({"prompt": "y"})


class TestOutcomes(CallbackCase):
    def test_a_reopened_request_takes_the_same_outcome_once_more(self):
        request, data = self.sent(), make_image()
        body = success("event", request.request_key, data)
        self.assertEqual(self.call("event", body).json(), {"status": "ok"})
        self.assertTrue(self.call("event", body).json()["duplicate"])
        self.assertEqual(request.action_reopen(), request.ids)
        self.assertEqual(request.action_reopen(), [])
        self.assertEqual(self.call("event", body).json(), {"status": "ok"})
        self.assertEqual((request.state, request.image_count), ("completed", 1))
        request.image_ids.attachment_id.unlink()
        request.action_reopen()
        self.call("event", body)
        self.assertEqual((request.image_count, request.image_ids.attachment_id.raw), (1, data))

    def test_the_bot_serves_every_company(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        request = self.sent(company_id=company.id)
        self.assertEqual(self.call("event", success("event", request.request_key, make_image())).status_code, 200)
        self.assertEqual((request.state, request.image_count), ("completed", 1))

    def test_what_is_told_is_shown_as_text(self):
        request = self.sent()
        text = "<img src=x onerror=alert(1)>"
        body = {"requestId": request.request_key, "status": "failed", "errorCode": text, "errorMessage": text}
        self.assertEqual(self.call("event", body).status_code, 200)
        self.assertNotIn("<img", request.message_ids[0].body)
        self.assertIn("&lt;img", request.message_ids[0].body)

    def test_a_body_with_a_name_twice_is_read_as_json_says(self):
        request = self.sent()
        told = json.dumps({"requestId": request.request_key, "status": "failed"})[:-1]
        self.assertEqual(self.call("event", f'{told}, "status": "nonsense"}}'.encode()).status_code, 422)
        self.assertEqual(request.state, "sent")
