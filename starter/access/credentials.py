"""Whether a webhook's own credentials are there: like n8n, a webhook without them is not registered."""

from __future__ import annotations

from runtime.secrets import SecretMissingError, SecretRefs, resolve_any
from runtime.settings import NoAuth, WebhookAuth


class Credentials:
    """Looked for until they were there once. Lost later, they are a fault of ours, which callers get as 503."""

    def __init__(self, auth: WebhookAuth) -> None:
        self._settings = _secrets(auth)
        self._were_set = False

    def are_set(self) -> bool:
        """Whether the webhook can check its callers, or could once."""
        self._were_set = self._were_set or all(_is_there(setting) for setting in self._settings)
        return self._were_set


def _secrets(auth: WebhookAuth) -> tuple[SecretRefs, ...]:
    if isinstance(auth, NoAuth):
        return ()
    fields = (getattr(auth, name, None) for name in ("password", "secret", "public_key"))
    return tuple(field for field in fields if field is not None)


def _is_there(setting: SecretRefs) -> bool:
    try:
        return bool(resolve_any(setting))
    except SecretMissingError:
        return False
