"""An S3 service on loopback: moto's server (software we did not write), one request at a time."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator

import httpx
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from runtime.store_settings import StoreSettings

ACCESS_KEY, SECRET_KEY = "AKIAEXAMPLE", "an-example-secret-key"


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """A running server; gives its URL.

    One thread: moto looks for an object and sets it in two steps, which a service that is fit for us does in one.
    """
    server = make_server(
        "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), request_handler=_Quiet, threaded=False
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def new_bucket(url: str) -> str:
    """The name of a fresh bucket."""
    name = f"images-{uuid.uuid4().hex}"
    httpx.put(f"{url}/{name}", trust_env=False).raise_for_status()
    return name


def bucket_settings(url: str, bucket: str, **changes: object) -> StoreSettings:
    """Settings for a bucket; the credentials are in the variables S3_ID and S3_SECRET."""
    values = {
        "kind": "s3",
        "bucket": bucket,
        "endpoint": url,
        "region": "us-east-1",
        "access_key_id": "env:S3_ID",
        "secret_access_key": "env:S3_SECRET",
        "timeout_s": 10,
        **changes,
    }
    return StoreSettings.model_validate(values)
