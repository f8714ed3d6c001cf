"""The activity for the requester of what has failed."""

from odoo.exceptions import AccessError
from odoo.tests.common import new_test_user

from ..models.outcomes import read_outcome
from .common import BridgeCase, failure, make_image, success


class TestFailureActivity(BridgeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.company.ai_image_failure_activity = True
        cls.partner = cls.env["res.partner"].create({"name": "Lamps & Sons"})

    def asked(self, user=None, **values):
        request = self.env["ai.image.request"].with_user(user or self.user).create({"prompt": "a lamp", **values})
        request.action_generate()
        request.sudo().write({"state": "sent", "sent_at": "2026-01-01 00:00:00"})
        return request.sudo()

    def receive(self, body):
        bot = self.env.ref("ai_image_bridge.user_bot")
        self.env["ai.image.request"].with_user(bot)._receive(read_outcome("event", body))
        self.env.invalidate_all()

    def fail(self, request, code="AI_SERVICE_UNAVAILABLE", message="The service is away."):
        self.receive(failure("event", request.request_key, code, message))

    def succeed(self, request):
        self.receive(success("event", request.request_key, make_image()))

    def planned(self, record):
        domain = [("res_model", "=", record._name), ("res_id", "=", record.id)]
        return self.env["mail.activity"].search(domain)

    def test_none_where_the_company_does_not_want_it(self):
        self.env.company.ai_image_failure_activity = False
        request = self.asked()
        self.fail(request)
        self.assertEqual(request.state, "failed")
        self.assertFalse(self.planned(request))

    def test_a_dead_letter_is_planned_on_the_document_for_the_requester(self):
        request = self.asked(res_model="res.partner", res_id=self.partner.id)
        self.fail(request)
        activity = self.planned(self.partner)
        self.assertEqual((len(activity), activity.user_id), (1, self.user))
        self.assertEqual(request.failure_activity_id, activity)
        self.assertIn("The service is away.", activity.note)
        self.assertIn(f'data-oe-id="{request.id}"', activity.note)
        self.assertFalse(self.planned(request))

    def test_on_the_request_itself_where_it_has_no_document(self):
        request = self.asked()
        self.fail(request, "CONTENT_REJECTED", "")
        self.assertEqual(request.state, "rejected")
        self.assertIn("CONTENT_REJECTED", self.planned(request).note)

    def test_on_the_request_where_the_document_has_no_activities_or_may_not_be_seen(self):
        hidden = self.env["res.partner"].create({"name": "Hidden"})
        rule = {"name": "none", "model_id": self.env.ref("base.model_res_partner").id, "perm_write": False}
        self.env["ir.rule"].create({**rule, "domain_force": f"[('id', '!=', {hidden.id})]"})
        for record in (self.env.ref("base.be"), hidden):
            with self.subTest(record._name):
                request = self.asked(res_model=record._name, res_id=record.id)
                self.fail(request)
                self.assertEqual(self.planned(request).user_id, self.user)

    def test_never_twice_for_one_failure(self):
        request = self.asked()
        self.fail(request)
        self.fail(request)
        self.fail(request, "EXPIRED", "It was parked for too long.")
        self.assertEqual(len(self.planned(request)), 1)
        self.planned(request).action_feedback(feedback="seen")
        request.write({"state": "failed", "last_error": "again"})
        self.assertFalse(self.planned(request))

    def test_a_later_failure_finds_the_open_one_and_otherwise_plans_anew(self):
        request = self.asked()
        self.fail(request)
        first = self.planned(request)
        request.action_retry()
        self.fail(request, message="It is away again.")
        self.assertEqual(self.planned(request), first)
        first.action_feedback(feedback="seen")
        request.action_retry()
        self.fail(request, message="And again.")
        self.assertIn("And again.", self.planned(request).note)

    def test_it_goes_with_a_later_success_a_cancellation_a_copy_and_the_request(self):
        for end in (
            self.succeed,
            lambda request: self.receive(failure("event", request.request_key, "CANCELLED")),
            lambda request: request.write({"parked": False}) and request.action_retry(),
            lambda request: request.unlink(),
        ):
            with self.subTest(end):
                request = self.asked(res_model="res.partner", res_id=self.partner.id)
                self.fail(request)
                self.assertEqual(len(self.planned(self.partner)), 1)
                end(request)
                self.assertFalse(self.planned(self.partner))

    def test_what_could_not_be_sent_is_planned_too(self):
        self.orchestrator.answer("POST", "/webhook/", (401, {"message": "no"}))
        request = self.queued(requester_id=self.user.id)
        self.send()
        self.assertIn("HTTP 401: no", self.planned(request).note)

    def test_what_the_check_finds_out_is_planned_once(self):
        parked = {"parking": 1, "step": "generate", "failure": {"message": "no GPU"}}
        content = {"request_id": "x", "route": "shop", "status": "RUNNING", "parked": parked}
        self.orchestrator.answer("GET", "/api/requests/", (200, content), (200, content))
        request = self.sent(requester_id=self.user.id)
        for _check in range(2):
            request.next_attempt_at = False
            self.run_cron("_cron_reconcile")
        self.assertEqual(len(self.planned(request)), 1)

    def test_nobody_is_told_who_has_left(self):
        user = new_test_user(self.env, "leaver", "ai_image_bridge.group_user")
        request = self.asked(user)
        user.active = False
        self.fail(request)
        self.assertEqual(request.state, "failed")
        self.assertFalse(self.planned(request))

    def test_users_cannot_point_at_an_activity(self):
        activity = self.partner.activity_schedule(user_id=self.user.id)
        requests = self.env["ai.image.request"].with_user(self.user)
        request = requests.with_context(default_failure_activity_id=activity.id).create({"prompt": "x"})
        self.assertFalse(request.failure_activity_id)
        for call in (requests.create, request.write):
            with self.assertRaises(AccessError):
                call({"prompt": "x", "failure_activity_id": activity.id})

    def test_the_setting_is_the_companys(self):
        other = self.env["res.company"].create({"name": "Elsewhere"})
        settings = self.env["res.config.settings"].create({"ai_image_failure_activity": False})
        settings.set_values()
        self.assertFalse(self.env.company.ai_image_failure_activity)
        other.ai_image_failure_activity = True
        request = self.asked()
        self.fail(request)
        self.assertFalse(self.planned(request))
