"""Decisions without a database."""

import json

from odoo.tests import common, tagged

from ..controllers import authentication
from ..models import api, images
from ..models.outbox import backoff_s, is_retried
from ..models.outcomes import read_outcome
from ..models.reconcile import check_s
from .common import OLD_SECRET, SECRET, failure, make_image, signature, success


@tagged("at_install", "-post_install")
class TestPure(common.BaseCase):
    def test_backoff_doubles_up_to_an_hour_with_jitter_and_honours_retry_after(self):
        self.assertEqual([backoff_s(n, None, 1.0) for n in (1, 2, 3)], [2.0, 4.0, 8.0])
        self.assertEqual(backoff_s(1, None, 0.0), 1.0)
        self.assertEqual(backoff_s(500, None, 1.0), 3600.0)
        self.assertEqual(backoff_s(1, 90.0, 1.0), 90.0)

    def test_checks_grow_rarer(self):
        self.assertEqual([check_s(n, 1.0) for n in (0, 1, 9)], [300.0, 600.0, 3600.0])

    def test_which_answers_are_worth_another_try(self):
        self.assertTrue(all(map(is_retried, (408, 425, 429, 500, 503))))
        self.assertFalse(any(map(is_retried, (301, 400, 401, 404, 409, 413, 422))))

    def test_secrets_go_over_tls_or_stay_here(self):
        for url in ("https://ai.example", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"):
            self.assertIsNone(api.url_problem(url), url)
        wrong = ("", "http://ai.example", "ftp://ai.example", "https://", "https://a:b@ai.example", "https://[", "ai")
        for url in (*wrong, "https://ai.example?x=1", "https://ai.example:x"):
            self.assertTrue(api.url_problem(url), url)
        self.assertIsNone(api.url_problem("http://orchestrator:8000", allow_http=True))

    def test_an_origin_is_scheme_host_and_port(self):
        self.assertEqual(api.origin("https://A.example/x?y"), ("https", "a.example", 443))
        self.assertEqual(api.origin("http://a.example:81"), ("http", "a.example", 81))
        for url in ("https://u@a.example", "javascript:1", "//a.example", "file:///etc/passwd", "https://[", ""):
            self.assertIsNone(api.origin(url), url)

    def test_only_raster_images_are_images(self):
        for image_format, mimetype in (("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif")):
            seen = images.look(make_image(image_format=image_format))
            self.assertEqual((seen.mimetype, seen.width, seen.height), (mimetype, 8, 6))
        self.assertEqual(images.look(b"\0\0\0\x1cftypavif").mimetype, "image/avif")
        svg, html = b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html><script>1</script></html>"
        for data in (b"", svg, html, b"\x89PNG\r\n\x1a\n" + b"x" * 50, b"%PDF-1.7", b"GIF89a"):
            self.assertIsNone(images.look(data), data)

    def test_the_same_image_inline_or_by_any_signed_url_is_the_same_outcome(self):
        data = make_image()
        inline = read_outcome("event", success("event", "k", data))
        by_url = success("event", "k", data, "https://a.example/images/1?signature=1")
        by_url["imageData"] = None
        self.assertEqual(inline.digest, read_outcome("event", by_url).digest)
        one, two = (success("endpoint", "k", url=f"https://a.example/i/1?sig={n}") for n in (1, 2))
        self.assertEqual(read_outcome("endpoint", one).digest, read_outcome("endpoint", two).digest)
        self.assertNotEqual(inline.digest, read_outcome("event", failure("event", "k")).digest)

    def test_signatures_by_two_live_secrets(self):
        body = json.dumps({"a": "é"}).encode()
        now = 1_800_000_000
        for key in (SECRET.encode(), b"made-up former secret 0123456789"):
            signed = signature(body, key, timestamp=now)
            self.assertTrue(authentication.is_signature_valid(signed, body, [SECRET, OLD_SECRET], now + 299))
            self.assertFalse(authentication.is_signature_valid(signed, body, [SECRET, OLD_SECRET], now + 301))
            self.assertFalse(authentication.is_signature_valid(signed, body, [SECRET, OLD_SECRET], now - 301))
            self.assertFalse(authentication.is_signature_valid(signed, body + b" ", [SECRET, OLD_SECRET], now))
            self.assertFalse(authentication.is_signature_valid(signed, body, [], now))

    def test_hostile_signatures_are_wrong_not_errors(self):
        right = signature(b"", timestamp=1000)
        for name, values in (
            ("webhook-id", ("", None, "\xff" * 999)),
            ("webhook-timestamp", ("", None, "-1", "1e3", "٣", "9" * 50, "NaN")),
            ("webhook-signature", ("", None, "v1,", "v1,=", "v1,\xff", "v2,abcd", ",", "v1," * 999)),
        ):
            for value in values:
                headers = {**right, name: value}
                self.assertFalse(authentication.is_signature_valid(headers, b"", [SECRET], 1000), (name, value))
