"""What the tests share: settings, requests, images, callbacks."""

import base64
import hashlib
import hmac
import io
import json
import time

from PIL import Image

from odoo.tests import common, tagged

from ..models.parameters import PREFIX
from .orchestrator import FakeOrchestrator

SECRET = "made-up callback secret"
OLD_SECRET = "whsec_" + base64.b64encode(b"made-up former secret 0123456789").decode()
PATHS = {
    "ours": "/ai_image_bridge/callback",
    "event": "/api/ai/events",
    "correlation": "/api/influencegen/image_result_callback",
    "request": "/api/influencegen/ai_image_callback",
    "adapter": "/influence_gen/n8n/ai_callback",
    "endpoint": "/influence_gen/ai/callback/image_result",
}
HEADERS = {
    "event": {"X-Api-Key": SECRET},
    "correlation": {"Authorization": f"Bearer {SECRET}"},
    "request": {"X-Api-Key": SECRET},
    "adapter": {"X-N8N-Signature": SECRET},
    "endpoint": {"X-N8N-Webhook-Token": SECRET},
}


def make_image(red=200, image_format="PNG", size=(8, 6)):
    """The bytes of an image; another `red` is another image."""
    file = io.BytesIO()
    Image.new("RGB", size, (red, 20, 30)).save(file, image_format)
    return file.getvalue()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def success(dialect, key, data=None, url=None):
    """The callback of a completed request, as the orchestrator renders it."""
    digest = sha256(data) if data else None
    inline = base64.b64encode(data).decode() if data else None
    if dialect == "adapter":
        image = {"image_url": url, "image_data_b64": inline, "filename": "a.png", "content_type": "image/png"}
        image["metadata"] = {"width": 8, "height": 6, "sha256": digest, "seed": 7}
        return {"request_id": key, "status": "success", "images": [image], "n8n_execution_id": "run-1"}
    if dialect == "endpoint":
        facts = {"image_url": url, "image_data": inline, "file_format": "png", "width": 8, "height": 6}
        return {"ai_generation_request_id": key, "result_payload": {"status": "success", "data": facts}}
    if dialect == "request":
        facts = {"seed_used": 7, "actual_width": 8, "actual_height": 6, "model_used_identifier": "flux-1"}
        return {"request_id": key, "status": "completed", "image_url": url, "image_data": inline, "metadata": facts}
    if dialect == "correlation":
        facts = {"sha256": digest, "seed": 7, "model": "flux-1", "cost": {"amount": "0.04", "currency": "USD"}}
        return {"correlationId": key, "status": "success", "imageUrl": url, "imageData": inline, "metadata": facts}
    facts = {"format": "png", "width": 8, "height": 6, "size": len(data) if data else None, "seed": 7}
    body = {"requestId": key, "correlationId": key, "status": "completed", "imageMetadata": facts}
    return {**body, "imageUrl": url, "imageData": inline, "hashValue": digest}


def failure(dialect, key, code="AI_SERVICE_UNAVAILABLE", message="The service is away."):
    """The callback of a failed request."""
    if dialect == "adapter":
        return {"request_id": key, "status": "failure", "error_code": code, "error_message": message}
    if dialect == "endpoint":
        told = {"status": "failure", "error_data": {"message": message, "details": code}}
        return {"ai_generation_request_id": key, "result_payload": told}
    if dialect == "request":
        return {"request_id": key, "status": "failed", "error": {"message": message, "code": code}}
    name = "correlationId" if dialect == "correlation" else "requestId"
    status = "error" if dialect == "correlation" else "failed"
    return {name: key, "status": status, "errorCode": code, "errorMessage": message}


def in_envelope(body, rpc_id=5):
    """The body in JSON-RPC."""
    return {"jsonrpc": "2.0", "method": "call", "id": rpc_id, "params": body}


SECRET_BYTES = SECRET.encode()


def signature(body, key=SECRET_BYTES, message_id="msg-1", timestamp=None):
    """Standard Webhooks headers."""
    stamp = str(int(time.time()) if timestamp is None else timestamp)
    mac = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signed = "v1," + base64.b64encode(mac).decode()
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": signed}


class Bridge:
    """Mixed into both kinds of cases."""

    @classmethod
    def start_empty(cls):
        """Whatever the database holds, a test begins without requests and with the default settings."""
        cls.env["ir.config_parameter"].search([("key", "=like", f"{PREFIX}%")]).unlink()
        cls.env.cr.execute("DELETE FROM ai_image_request")
        cls.env.cr.execute("DELETE FROM ai_image_rate")

    @classmethod
    def configure(cls, **settings):
        for name, value in settings.items():
            cls.env["ir.config_parameter"].set_param(PREFIX + name, str(value))

    def make_request(self, **values):
        return self.env["ai.image.request"].create({"prompt": "a red bicycle", **values})

    def queued(self, **values):
        request = self.make_request(**values)
        request.action_generate()
        return request

    def sent(self, **values):
        request = self.queued(**values)
        request.write({"state": "sent", "sent_at": "2026-01-01 00:00:00"})
        return request


@tagged("at_install", "-post_install")
class BridgeCase(Bridge, common.TransactionCase):
    """Against a small orchestrator; crons run in a cursor that may commit."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.start_empty()
        cls.configure(orchestrator_url="http://127.0.0.1:9", route="shop", webhook_secret="hook", api_token="api")
        cls.configure(callback_secret=SECRET, callback_secret_old=OLD_SECRET, timeout_s=5)
        cls.user = common.new_test_user(cls.env, "painter", "ai_image_bridge.group_user")
        cls.other = common.new_test_user(cls.env, "sculptor", "ai_image_bridge.group_user")
        cls.manager = common.new_test_user(cls.env, "curator", "ai_image_bridge.group_manager")

    def setUp(self):
        super().setUp()
        self.orchestrator = FakeOrchestrator()
        self.addCleanup(self.orchestrator.close)
        self.configure(orchestrator_url=self.orchestrator.url)

    def run_cron(self, name, **options):
        with self.enter_registry_test_mode(), self.registry.cursor() as cr:
            getattr(self.env(cr=cr)["ai.image.request"], name)(**options)
        self.env.invalidate_all()

    def send(self):
        self.run_cron("_cron_send", patience_s=0)


@tagged("at_install", "-post_install")
class CallbackCase(Bridge, common.HttpCase):
    """Callbacks over real HTTP."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.start_empty()
        cls.configure(callback_secret=SECRET, callback_secret_old=OLD_SECRET)
        cls.configure(orchestrator_url="http://127.0.0.1:9", route="shop")

    def call(self, endpoint, body, headers=None):
        """Post a callback; `headers` None = the endpoint's own secret, or a signature for ours."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if headers is None:
            headers = HEADERS.get(endpoint) or signature(content)
        named = {"Content-Type": "application/json", **headers}
        answer = self.url_open(PATHS[endpoint], data=content, headers=named, timeout=30, method="POST")
        self.env.invalidate_all()
        return answer
