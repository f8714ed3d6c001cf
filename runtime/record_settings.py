"""Routes of dialect `odoo_action`: which fields of a record say what is wanted, and which take the outcome."""

from __future__ import annotations

from pydantic import Field, model_validator

from runtime.settings_values import FieldName, ModelName, Section


class RecordFields(Section):
    """The fields that say what is wanted. What a webhook's body lacks is read from the record."""

    prompt: FieldName
    """Field of the prompt: plain text."""
    negative_prompt: FieldName | None = None
    """Field of what the image must not show."""
    model: FieldName | None = None
    """Field of the image service's model."""
    service: FieldName | None = None
    """Field that names the image service, as `service_names` does; must be among the webhook's own fields."""
    resolution: FieldName | None = None
    """Field of the size, as "1024x1024"."""
    aspect_ratio: FieldName | None = None
    """Field of the aspect ratio, as "16:9"."""
    seed: FieldName | None = None
    """Field of the seed; 0 is Odoo's empty number, so it counts as none."""
    steps: FieldName | None = None
    """Field of the inference steps."""
    cfg_scale: FieldName | None = None
    """Field of the guidance scale."""
    user_id: FieldName | None = None
    """Field of the user who asks, as create_uid; search attribute OdooUser."""
    campaign_id: FieldName | None = None
    """Field of the campaign; search attribute Campaign."""
    profile_id: FieldName | None = None
    """Field of the profile the image is for."""

    def names(self) -> dict[str, str]:
        """Parameter -> field, of those that are set."""
        return self.model_dump(exclude_none=True)


class WriteBack(Section):
    """Where the outcome goes. At least one must be set."""

    image: FieldName | None = None
    """Image or binary field that gets the first image."""
    url: FieldName | None = None
    """Text field that gets a signed URL of the first image (needs store.signing_key)."""
    status: FieldName | None = None
    """Text or selection field that gets completed or failed."""
    error: FieldName | None = None
    """Text field that gets the failure's code and sentence; emptied by a success."""
    attachment: bool = False
    """Whether all images are attached to the record."""
    chatter: bool = False
    """Whether a note with the images, or the failure, is posted in the chatter."""

    @model_validator(mode="after")
    def _has_a_target(self) -> WriteBack:
        if not any(self.model_dump().values()):
            raise ValueError('name at least one target, as image = "image_1920" or chatter = true')
        return self


class RecordSettings(Section):
    """What the records mean that Odoo's own webhooks name."""

    fields: RecordFields
    """Which fields say what is wanted."""
    write_back: WriteBack
    """Where the outcome goes."""
    models: tuple[ModelName, ...] = ()
    """Models that posts may name, as res.partner; others are rejected. None = all that the user of `rpc` may change."""
    repeat_window_s: float = Field(default=60.0, gt=0, le=3600)
    """Seconds in which equal posts without `write_date` are one request; a later one is a new request."""
