"""The store's section of the settings: what must agree, and how long images are kept."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.settings import Settings
from runtime.store_settings import StoreSettings, retention_s, store_disagreements
from tests.runtime.configurations import BASE

DAY_S = 86_400


def settings(store: dict[str, Any], **route: Any) -> Settings:
    event = {**BASE["routes"]["event"], **route}
    return Settings.model_validate({**BASE, "store": store, "routes": {"event": event}})


def test_images_are_kept_as_long_as_the_route_that_needs_longest() -> None:
    # park_s, callback.retry.deadline_s, callback.url_ttl_s, and the margin.
    assert retention_s(settings({})) == (30 + 3 + 7 + 2) * DAY_S
    callback = {"path": "/done", "url_ttl_s": 30 * DAY_S, "retry": {"deadline_s": DAY_S}}
    assert retention_s(settings({}, park_s=60 * DAY_S, callback=callback)) == (60 + 1 + 30 + 2) * DAY_S


def test_images_may_be_kept_longer() -> None:
    assert retention_s(settings({"retention_s": 400 * DAY_S})) == 400 * DAY_S
    assert retention_s(settings({"retention_s": 42 * DAY_S})) == 42 * DAY_S


def test_less_than_a_route_needs_is_refused_with_the_number() -> None:
    with pytest.raises(ValidationError, match=rf"store.retention_s: routes.event needs its images for {42 * DAY_S} s"):
        settings({"retention_s": 42 * DAY_S - 1})


def test_a_bucket_is_needed() -> None:
    with pytest.raises(ValidationError, match=r"store\.bucket: kind s3 needs a bucket; set it"):
        settings({"kind": "s3"})


@pytest.mark.parametrize("key", ["access_key_id", "secret_access_key"])
def test_half_of_the_credentials_are_refused(key: str) -> None:
    with pytest.raises(ValidationError, match=r"store\.access_key_id: goes together with store.secret_access_key"):
        settings({"kind": "s3", "bucket": "pictures", key: "env:SOMETHING"})


def test_a_complete_bucket_has_no_problem() -> None:
    store = {"kind": "s3", "bucket": "pictures", "prefix": "odoo/images", "endpoint": "http://minio:9000"}
    made = settings({**store, "access_key_id": "env:ID", "secret_access_key": "file:/run/secrets/key"})
    assert list(store_disagreements(made)) == []
    assert made.store.place == "pictures/odoo/images at http://minio:9000"


@pytest.mark.parametrize("changes", [
    {"bucket": "a"}, {"bucket": "pictures/odoo"}, {"bucket": "s3://pictures"}, {"prefix": "/odoo"}, {"prefix": "odoo/"},
    {"prefix": "../odoo"}, {"endpoint": "minio:9000"}, {"kind": "gcs"}, {"timeout_s": 0},
    {"secret_access_key": "plain"},
])  # fmt: skip
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StoreSettings.model_validate({"kind": "s3", "bucket": "pictures", **changes})
