"""Asking for missing outcomes."""

from ..models.actions import utc_now
from .common import BridgeCase

STARTED = {"request_id": "x", "route": "shop", "status": "RUNNING", "stage": "generating", "parked": None}


class TestReconcile(BridgeCase):
    def check(self, status, content, request=None):
        request = request or self.sent()
        self.orchestrator.answer("GET", "/api/requests/", (status, content))
        request.next_attempt_at = False
        self.run_cron("_cron_reconcile")
        return request

    def ended(self, outcome, **content):
        return self.check(200, {**STARTED, "status": "COMPLETED", "stage": "settled", "outcome": outcome, **content})

    def test_only_overdue_rows_are_asked_about(self):
        self.sent().write({"sent_at": utc_now()})
        self.queued()
        self.run_cron("_cron_reconcile")
        self.assertEqual(self.orchestrator.received, [])

    def test_asked_by_key_and_route_with_the_token(self):
        request = self.check(200, STARTED)
        came = self.orchestrator.received[0]
        self.assertEqual(came.path, f"/api/requests/{request.request_key}?route=shop")
        self.assertEqual(came.headers["Authorization"], "Bearer api")
        self.assertEqual((request.state, request.checks), ("processing", 1))
        self.assertGreater(request.next_attempt_at, utc_now())

    def test_unknown_is_sent_again_under_the_same_key(self):
        request = self.check(404, {"code": 404, "message": "There is no request with this id on route shop."})
        self.assertEqual(request.state, "queued")
        self.send()
        self.assertEqual(self.orchestrator.webhooks()[0].body["requestId"], request.request_key)
        self.assertEqual(request.state, "sent")

    def test_any_other_404_proves_nothing(self):
        request = self.check(404, {"message": "This interface is off: set api.auth to open it."})
        self.assertEqual(request.state, "sent")
        self.assertIn("interface is off", request.last_error)

    def test_parked_is_failed_until_somebody_decides(self):
        parked = {"parking": 1, "step": "generate", "failure": {"message": "no GPU"}, "since": "2026-01-01T00:00:00Z"}
        request = self.check(200, {**STARTED, "parked": parked, "failure_code": "AI_SERVICE_UNAVAILABLE"})
        self.assertEqual((request.state, request.parked, request.last_error), ("failed", True, "no GPU"))
        self.check(200, STARTED, request)
        self.assertEqual((request.state, request.parked), ("processing", False))

    def test_what_has_ended_stays_so_and_is_never_sent_again(self):
        for outcome, state, code in (
            ("rejected", "rejected", "INPUT_VALIDATION_ERROR"),
            ("cancelled", "cancelled", "CANCELLED"),
            ("discarded", "cancelled", "DISCARDED"),
            ("expired", "failed", "EXPIRED"),
            (None, "failed", "N8N_WORKFLOW_FAILURE"),
        ):
            with self.subTest(outcome):
                request = self.ended(outcome)
                self.assertEqual((request.state, request.error_code, request.parked), (state, code, False))
        self.send()
        self.assertEqual(self.orchestrator.webhooks(), [])

    def test_completed_but_not_arrived_is_waited_for_then_told(self):
        request = self.ended("completed")
        self.assertEqual((request.state, request.last_error), ("processing", False))
        for _check in range(5):
            self.check(200, {**STARTED, "status": "COMPLETED", "outcome": "completed"}, request)
        self.assertEqual(request.state, "processing")
        self.assertIn("no image has arrived", request.last_error)

    def test_no_answer_changes_nothing_but_the_time(self):
        for status, content in ((503, {}), (401, {"message": "no"}), (200, {}), (200, {"status": 5}), (409, {})):
            request = self.check(status, content)
            self.assertEqual(request.state, "sent")
            self.assertTrue(request.last_error)
        self.configure(orchestrator_url="http://127.0.0.1:9")
        request = self.sent()
        self.run_cron("_cron_reconcile")
        self.assertEqual(request.state, "sent")

    def test_hostile_states_are_survived(self):
        for content in (
            {**STARTED, "parked": {"failure": []}, "failure_code": {"a": 1}},
            {**STARTED, "parked": {"failure": {"message": ["x" * 9999]}}},
            {**STARTED, "status": "X", "outcome": ["x"]},
        ):
            with self.subTest(str(content)[:40]):
                self.assertIn(self.check(200, content).state, ("failed", "processing", "sent"))
