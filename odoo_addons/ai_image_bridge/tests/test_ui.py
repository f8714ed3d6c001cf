"""The wizard, where it is offered, bulk retry, and who sees what of the screens."""

import base64

from lxml import etree

from odoo.exceptions import AccessError, UserError

from .common import BridgeCase, make_image

WIZARD = "ai.image.generate"


class TestWizard(BridgeCase):
    def opened(self, records, user=None, **values):
        wizards = self.env[WIZARD].with_user(user or self.user)
        context = {"active_model": records._name, "active_ids": records.ids}
        return wizards.with_context(**context).create({"prompt": "a sign for {name}", **values})

    def test_one_record_gets_one_request_which_is_opened(self):
        partner = self.env["res.partner"].create({"name": "Lamps & Sons"})
        action = self.opened(partner, campaign="spring", resolution="64x64").action_generate()
        request = self.env["ai.image.request"].browse(action["res_id"])
        self.assertEqual((request.res_model, request.res_id), ("res.partner", partner.id))
        self.assertEqual((request.prompt, request.campaign), ("a sign for Lamps & Sons", "spring"))
        self.assertEqual((request.state, request.requester_id), ("queued", self.user))

    def test_each_of_several_records_gets_a_request(self):
        partners = self.env["res.partner"].create([{"name": name} for name in "ABCDE"])
        wizard = self.opened(partners)
        self.assertEqual((wizard.records_count, wizard.records_name), (5, "A, B, C and 2 more"))
        found = self.env["ai.image.request"].search(wizard.action_generate()["domain"])
        self.assertEqual(set(found.mapped("prompt")), {f"a sign for {name}" for name in "ABCDE"})

    def test_too_many_records_are_refused(self):
        partners = self.env["res.partner"].create([{"name": "x"}] * 201)
        with self.assertRaises(UserError):
            self.opened(partners).action_generate()

    def test_without_a_record_it_is_a_request_of_its_own(self):
        wizard = self.env[WIZARD].with_user(self.user).create({"prompt": "a fox"})
        request = self.env["ai.image.request"].browse(wizard.action_generate()["res_id"])
        self.assertEqual((request.prompt, request.res_model, request.state), ("a fox", False, "queued"))

    def test_a_record_that_the_user_may_not_read_is_refused(self):
        parameter = self.env["ir.config_parameter"].search([], limit=1)
        with self.assertRaises(AccessError):
            self.opened(parameter).action_generate()

    def test_a_record_that_is_gone_gives_no_request_for_it(self):
        partner = self.env["res.partner"].create({"name": "x"})
        wizard = self.opened(partner)
        partner.unlink()
        with self.assertRaises(UserError):
            wizard.action_generate()


class TestOffers(BridgeCase):
    def offered(self, user, model):
        bindings = self.env["ir.actions.actions"].with_user(user).get_bindings(model)
        actions = [each for each in bindings.get("action", ()) if each["name"] == "Generate image"]
        return len(actions)

    def test_it_is_offered_for_contacts_from_the_start(self):
        self.assertEqual(self.offered(self.user, "res.partner"), 1)

    def test_the_settings_choose_the_models(self):
        models = self.env["ir.model"].search([("model", "in", ("res.country", "res.currency"))])
        settings = self.env["res.config.settings"].create({"ai_image_model_ids": [(6, 0, models.ids)]})
        for _time in range(2):
            settings.set_values()
            offers = [self.offered(self.user, model) for model in ("res.country", "res.currency", "res.partner")]
            self.assertEqual(offers, [1, 1, 0])
        self.assertEqual(self.env["res.config.settings"].create({}).ai_image_model_ids, models)
        self.assertTrue(self.env.ref("ai_image_bridge.generate_res_country"))

    def test_who_may_not_ask_for_images_is_not_offered_it(self):
        outsider = self.env["res.users"].create({"name": "x", "login": "outsider"})
        self.assertEqual(self.offered(outsider, "res.partner"), 0)

    def test_the_callback_url_is_that_of_the_dialect(self):
        urls = {}
        for dialect in ("event", "adapter"):
            settings = self.env["res.config.settings"].create({"ai_image_dialect": dialect})
            urls[dialect] = settings.ai_image_callback_url
        self.assertTrue(urls["event"].endswith("/ai_image_bridge/callback"), urls)
        self.assertTrue(urls["adapter"].endswith("/influence_gen/n8n/ai_callback"), urls)


class TestScreens(BridgeCase):
    def arch(self, user, view_type):
        views = self.env["ai.image.request"].with_user(user).get_views([(False, view_type)])
        return etree.fromstring(views["views"][view_type]["arch"])

    def test_only_managers_see_delivery_and_execution(self):
        for user, there in ((self.user, 0), (self.manager, 1)):
            form = self.arch(user, "form")
            self.assertEqual(len(form.xpath("//page[@name='delivery']")), there)
            self.assertEqual(len(form.xpath("//button[@name='action_open_execution']")), there)

    def test_bulk_retry_takes_what_has_ended_and_leaves_the_rest(self):
        failed, done = self.sent(), self.sent()
        failed.write({"state": "failed", "error_code": "EXPIRED"})
        done.write({"state": "completed"})
        action = self.env.ref("ai_image_bridge.action_bulk_retry").with_user(self.manager)
        context = {"active_model": failed._name, "active_ids": (failed | done).ids}
        opened = action.with_context(**context).run()
        self.assertEqual(self.env["ai.image.request"].browse(opened["res_id"]).prompt, failed.prompt)
        with self.assertRaises(UserError):
            action.with_context(active_model=done._name, active_ids=done.ids).run()


class TestPicture(BridgeCase):
    def image_of(self, record, **values):
        request = self.sent(res_model=record._name, res_id=record.id, **values)
        data = base64.b64encode(make_image())
        attachment = self.env["ir.attachment"].create({"name": "a.png", "datas": data})
        return self.env["ai.image.result"].create(
            {"request_id": request.id, "attachment_id": attachment.id, "sha256": "0" * 64}
        )

    def test_an_image_becomes_the_picture_of_its_record(self):
        partner = self.env["res.partner"].create({"name": "Lamps & Sons"})
        image = self.image_of(partner)
        self.assertEqual(image.record_name, "Lamps & Sons")
        image.with_context(bin_size=True).action_use()
        self.assertEqual(base64.b64decode(partner.image_1920), make_image())

    def test_a_record_without_pictures_gets_none(self):
        image = self.image_of(self.env["res.country"].search([], limit=1))
        self.assertFalse(image.record_name)
        with self.assertRaises(UserError):
            image.action_use()

    def test_who_may_not_write_the_record_may_not_give_it_a_picture(self):
        image = self.image_of(self.env["res.partner"].create({"name": "x"}), requester_id=self.user.id)
        self.env.invalidate_all()
        own = image.with_user(self.user)
        self.assertFalse(own.record_name)
        with self.assertRaises(AccessError):
            own.action_use()
