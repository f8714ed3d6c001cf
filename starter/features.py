"""What the webhooks of one starter share beside their routes: those who wait, listen, are counted or copied."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from temporalio.client import Client

from runtime.blobs import BlobStore
from runtime.settings import Settings
from starter.access.rate_limit import RateLimits
from starter.access.signatures import Signatures
from starter.api.listeners import Listeners
from starter.intake.when_finished import WhenFinished
from starter.metrics import StarterMetrics
from starter.shadow.callbacks import ShadowCallbacks
from starter.shadow.copies import Shadow
from starter.shadow.journal import ShadowJournal


@dataclass(frozen=True, slots=True)
class Features:
    """One of each, all in the memory of one starter."""

    when_finished: WhenFinished
    listeners: Listeners
    signatures: Signatures
    rate_limits: RateLimits
    shadow: Shadow
    shadow_callbacks: ShadowCallbacks

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """What must run beside the requests."""
        async with self.shadow.running():
            yield


def make_features(settings: Settings, client: Client, blobs: BlobStore, metrics: StarterMetrics) -> Features:
    """The features of a starter with these settings."""
    journal = ShadowJournal(settings.store.path)
    return Features(
        WhenFinished(settings, client, blobs),
        Listeners(),
        Signatures(),
        RateLimits(settings),
        Shadow(settings, journal, metrics),
        ShadowCallbacks(settings, journal),
    )
