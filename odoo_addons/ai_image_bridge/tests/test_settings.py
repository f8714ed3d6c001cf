"""The settings page's model."""

import os
from unittest import mock

from odoo.exceptions import UserError, ValidationError

from ..models import parameters
from .common import BridgeCase


class TestSettings(BridgeCase):
    def settings(self, **values):
        return self.env["res.config.settings"].create(values)

    def test_what_is_set_is_read_back(self):
        self.settings(
            ai_image_orchestrator_url="https://ai.example", ai_image_max_tries=0, ai_image_timeout_s=7
        ).set_values()
        self.assertEqual(parameters.text(self.env, "orchestrator_url"), "https://ai.example")
        self.assertEqual([parameters.number(self.env, name) for name in ("max_tries", "timeout_s")], [0, 7])
        self.assertEqual(self.settings().ai_image_max_tries, 0)

    def test_wrong_values_are_refused(self):
        for values in (
            {"ai_image_orchestrator_url": "http://ai.example"},
            {"ai_image_orchestrator_url": "ai.example"},
            {"ai_image_timeout_s": 0},
            {"ai_image_daily_quota": -1},
        ):
            with self.assertRaises(ValidationError, msg=str(values)):
                self.settings(**values)

    def test_the_environment_wins(self):
        with mock.patch.dict(os.environ, {"AI_IMAGE_BRIDGE_WEBHOOK_SECRET": "from outside"}):
            self.assertEqual(parameters.text(self.env, "webhook_secret"), "from outside")
            self.assertTrue(parameters.is_overridden("webhook_secret"))
        self.assertEqual(parameters.text(self.env, "webhook_secret"), "hook")

    def test_numbers_that_are_none_fall_back(self):
        for value in ("", "x", "-1", "1.5", "9" * 30):
            self.configure(timeout_s=value)
            self.assertEqual(parameters.number(self.env, "timeout_s"), 10)

    def test_the_connection_is_tested(self):
        unknown = (404, {"code": 404, "message": "There is no request with this id on route shop."})
        self.orchestrator.answer("GET", "/healthz", (200, {"status": "ok"}))
        self.orchestrator.answer("GET", "/api/requests/", unknown)
        told = self.settings().action_ai_image_test_connection()
        self.assertEqual(told["params"]["type"], "success")
        for path, answer in (("/api/requests/", (401, {})), ("/healthz", (503, {}))):
            self.orchestrator.answer("GET", path, answer)
            with self.assertRaises(UserError):
                self.settings().action_ai_image_test_connection()
        self.configure(orchestrator_url="http://127.0.0.1:9")
        with self.assertRaises(UserError):
            self.settings().action_ai_image_test_connection()
