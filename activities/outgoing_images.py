"""Images on their way to Odoo: their bytes from the store, or a signed URL."""

from __future__ import annotations

from activities.attempts import AttemptFailedError
from activities.records import Records
from activities.secrets import needed
from contracts.errors import FailureClass, make_failure
from contracts.requests import StoredImage
from runtime.image_urls import sign
from runtime.secrets import resolve
from runtime.settings import Settings


class OutgoingImages:
    """What deliveries take their images from."""

    def __init__(self, settings: Settings, records: Records) -> None:
        self._settings = settings
        self._records = records

    async def data(self, image: StoredImage) -> bytes:
        """The bytes; raises `AttemptFailedError` where the store does not have them any more."""
        data = await self._records.image(image.sha256)
        if data is None:
            message = f"image {image.sha256} is not in the store any more: restore it, then redrive"
            raise AttemptFailedError(make_failure(FailureClass.INTERNAL, message))
        return data

    async def url(self, image: StoredImage, expires_at: int) -> str:
        """A URL that is valid until `expires_at` (epoch seconds); raises `AttemptFailedError` without a key."""
        key = self._settings.store.signs_with
        if key is None:
            message = "store.signing_key is not set, but this delivery carries image URLs: set it, then redrive"
            raise AttemptFailedError(make_failure(FailureClass.CALLBACK_REFUSED, message))
        # A delivery that begins late must not hand out an address that outlives the image.
        await self._records.renew(image.sha256)
        return sign(self._settings.starter.public_base_url, image.sha256, expires_at, needed(lambda: resolve(key)))
