"""Retry, cancel and the way to the execution."""

from odoo.exceptions import UserError

from .common import BridgeCase


class TestActions(BridgeCase):
    def parked(self):
        request = self.sent()
        request.write({"state": "failed", "parked": True, "result_digest": "x", "error_code": "AI_SERVICE_TIMEOUT"})
        return request

    def test_what_is_parked_is_redriven(self):
        request = self.parked()
        self.assertIs(request.action_retry(), True)
        (came,) = self.orchestrator.received
        self.assertEqual((came.method, came.path), ("POST", f"/api/requests/{request.request_key}/redrive?route=shop"))
        self.assertEqual(came.headers["Authorization"], "Bearer api")
        self.assertTrue(came.body["by"] and came.body["reason"])
        self.assertEqual((request.state, request.parked, request.result_digest), ("sent", False, False))

    def test_a_refused_redrive_leaves_it_parked_and_says_why(self):
        request = self.parked()
        self.orchestrator.answer("POST", "/api/requests/", (409, {"message": "not parked"}))
        told = request.action_retry()
        self.assertIn("not parked", told["params"]["message"])
        self.assertEqual((request.state, request.parked, request.result_digest), ("failed", True, "x"))

    def test_what_has_ended_is_queued_again_under_a_new_key(self):
        for state in ("failed", "rejected", "cancelled"):
            with self.subTest(state):
                request = self.sent(campaign="spring")
                request.write({"state": state, "error_code": "EXPIRED"})
                action = request.action_retry()
                copied = self.env["ai.image.request"].browse(action["res_id"])
                self.assertNotEqual(copied.request_key, request.request_key)
                self.assertEqual((copied.state, copied.prompt, copied.campaign), ("queued", request.prompt, "spring"))
                self.assertEqual(request.state, state)

    def test_what_is_under_way_cannot_be_retried(self):
        with self.assertRaises(UserError):
            self.queued().action_retry()

    def test_cancelled_at_once_before_it_was_sent(self):
        for request in (self.make_request(), self.queued()):
            self.assertIs(request.action_cancel(), True)
            self.assertEqual(request.state, "cancelled")
        self.assertEqual(self.orchestrator.received, [])
        self.send()
        self.assertEqual(self.orchestrator.received, [])

    def test_what_may_have_been_taken_is_cancelled_there_too(self):
        request = self.queued()
        request.attempts = 1
        request.action_cancel()
        self.assertEqual(self.orchestrator.received[0].path, f"/api/requests/{request.request_key}/cancel?route=shop")
        self.assertEqual(request.state, "cancelled")

    def test_what_was_sent_waits_for_the_orchestrator_to_cancel(self):
        request = self.sent()
        self.orchestrator.answer("POST", "/api/requests/", (202, {"cancel_requested": True}))
        request.action_cancel()
        self.assertEqual(request.state, "sent")
        self.orchestrator.answer("POST", "/api/requests/", (404, {"message": "There is no request with this id."}))
        request.action_cancel()
        self.assertEqual(request.state, "cancelled")

    def test_the_execution_is_linked(self):
        self.configure(ui_url="https://temporal.example/", ui_namespace="shop")
        request = self.queued()
        url = f"https://temporal.example/namespaces/shop/workflows/shop%2F{request.request_key}"
        self.assertEqual(request.action_open_execution()["url"], url)
        self.configure(ui_url="")
        request.invalidate_recordset()
        with self.assertRaises(UserError):
            request.action_open_execution()

    def test_what_is_queued_is_fixed_and_stays(self):
        request = self.queued()
        for change in ({"prompt": "other"}, {"seed": "1"}, {"requester_id": self.user.id}):
            with self.assertRaises(UserError):
                request.write(change)
        with self.assertRaises(UserError):
            request.unlink()

    def test_a_user_may_retry_and_cancel_the_own_requests(self):
        parked, never_taken, ended, sent = (self.parked(), self.queued(), self.sent(), self.sent())
        never_taken.write({"state": "failed", "error_code": "HTTP_401"})
        ended.write({"state": "rejected"})
        mine = parked | never_taken | ended | sent
        self.env.cr.execute(
            "UPDATE ai_image_request SET requester_id = %s WHERE id IN %s", [self.user.id, tuple(mine.ids)]
        )
        mine.invalidate_recordset()
        action = (parked | never_taken | ended).with_user(self.user).action_retry()
        self.assertEqual((parked.state, never_taken.state, ended.state), ("sent", "queued", "rejected"))
        copied = self.env["ai.image.request"].browse(action["res_id"])
        self.assertEqual((copied.state, copied.requester_id), ("queued", self.user))
        self.orchestrator.answer("POST", "/api/requests/", (404, {}))
        sent.with_user(self.user).action_cancel()
        self.assertEqual(sent.state, "cancelled")
