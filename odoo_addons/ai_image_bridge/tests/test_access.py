"""Who may see and do what."""

from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, ValidationError
from odoo.tools import mute_logger

from .common import BridgeCase


class TestAccess(BridgeCase):
    def test_users_see_their_own_and_managers_all(self):
        mine = self.make_request(requester_id=self.user.id)
        requests = self.env["ai.image.request"]
        self.assertIn(mine, requests.with_user(self.user).search([]))
        self.assertNotIn(mine, requests.with_user(self.other).search([]))
        self.assertIn(mine, requests.with_user(self.manager).search([]))
        with self.assertRaises(AccessError):
            mine.with_user(self.other).action_generate()
        with self.assertRaises(AccessError):
            mine.with_user(self.other).action_cancel()

    def test_other_companies_requests_are_out_of_sight(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        theirs = self.make_request(requester_id=self.user.id, company_id=company.id)
        for user in (self.user, self.manager):
            self.assertNotIn(theirs, self.env["ai.image.request"].with_user(user).search([]))

    def test_nobody_asks_in_anothers_name(self):
        with self.assertRaises(AccessError):
            self.env["ai.image.request"].with_user(self.user).create({"prompt": "x", "requester_id": self.other.id})

    def test_state_and_outcome_are_not_for_people(self):
        request = self.make_request(requester_id=self.user.id)
        for values in ({"state": "completed"}, {"request_key": "x"}, {"result_digest": "x"}, {"parked": True}):
            with self.assertRaises(AccessError):
                request.with_user(self.manager).write(values)
            with self.assertRaises(AccessError):
                self.env["ai.image.request"].with_user(self.user).create({"prompt": "x", **values})
        with self.assertRaises(AccessError):
            self.env["ai.image.result"].with_user(self.manager).create({"request_id": request.id})

    def test_users_may_generate_and_cancel(self):
        request = self.env["ai.image.request"].with_user(self.user).create({"prompt": "x"})
        request.action_generate()
        self.assertEqual((request.state, request.requester_id), ("queued", self.user))
        request.action_cancel()
        self.assertEqual(request.state, "cancelled")

    def test_the_bot_writes_outcomes_and_nothing_else(self):
        bot = self.env.ref("ai_image_bridge.user_bot")
        request = self.sent().with_user(bot)
        request.write({"state": "failed", "error_code": "X"})
        for values in ({"prompt": "y"}, {"requester_id": bot.id}, {"request_key": "x"}):
            with self.assertRaises(AccessError):
                request.write(values)
        with self.assertRaises(AccessError):
            self.env["ai.image.request"].with_user(bot).create({"prompt": "x"})
        with self.assertRaises(AccessError):
            request.unlink()
        with self.assertRaises(AccessError):
            self.env["res.partner"].with_user(bot).create({"name": "x"})
        self.assertFalse(bot.active)
        self.assertTrue(bot.share)

    def test_secrets_and_payload_are_for_administrators(self):
        request = self.queued(requester_id=self.manager.id)
        with self.assertRaises(AccessError):
            request.with_user(self.manager).read(["payload"])
        with self.assertRaises(AccessError):
            self.env["res.config.settings"].with_user(self.manager).create({})

    def test_wrong_parameters_are_named(self):
        for values in (
            {"prompt": "  "},
            {"resolution": "big"},
            {"resolution": "0x10"},
            {"aspect_ratio": "wide"},
            {"seed": "1.5"},
            {"seed": "9" * 19},
            {"inference_steps": -1},
            {"custom_params": "[]"},
            {"custom_params": "{"},
            {"custom_params": "[" * 100_000},
        ):
            with self.assertRaises(ValidationError, msg=str(values)):
                self.make_request(**values)

    def test_a_key_is_used_once(self):
        request = self.make_request()
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            self.make_request(request_key=request.request_key)

    def test_the_record_is_shown_to_who_may_read_it(self):
        partner = self.env["res.partner"].create({"name": "Customer"})
        request = self.make_request(res_model="res.partner", res_id=partner.id, requester_id=self.user.id)
        self.assertEqual(request.with_user(self.user).record_ref, partner)
        cron = self.env.ref("ai_image_bridge.cron_send")
        hidden = self.make_request(res_model="ir.cron", res_id=cron.id, requester_id=self.user.id)
        self.assertFalse(hidden.with_user(self.user).record_ref)
        self.assertFalse(self.make_request(res_model="no.model", res_id=1).record_ref)
