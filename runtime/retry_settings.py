"""How often and how long steps are tried."""

from __future__ import annotations

from pydantic import Field

from contracts.policies import StepPolicy
from runtime.settings_values import Section


class RetrySettings(Section):
    """How often and how long a step is tried."""

    attempts: int = Field(default=6, ge=0, le=10_000)
    """Failures until the step is given up; 0 = only the deadline counts."""
    initial_s: float = Field(default=5.0, gt=0, le=3600)
    """Seconds before the first retry."""
    factor: float = Field(default=2.0, ge=1, le=10)
    """What each further failure multiplies the delay by."""
    maximum_s: float = Field(default=300.0, gt=0, le=86_400)
    """Longest delay in seconds."""
    deadline_s: float = Field(default=3600.0, gt=0, le=30 * 86_400)
    """Seconds for all attempts and waits together."""
    timeout_s: float = Field(default=180.0, gt=0, le=3600)
    """Seconds for one attempt."""
    heartbeat_s: float = Field(default=30.0, ge=1, le=600)
    """Seconds of silence after which an attempt counts as dead; longer than a restart of the Temporal server takes."""

    def policy(self) -> StepPolicy:
        """The snapshot that a request carries with it."""
        return StepPolicy.model_validate(self.model_dump())


class CallbackRetrySettings(RetrySettings):
    """How often and how long a callback is tried: 72 hours by default."""

    attempts: int = Field(default=0, ge=0, le=10_000)
    """Failures until the callback is given up; 0 = only the deadline counts."""
    initial_s: float = Field(default=2.0, gt=0, le=3600)
    """Seconds before the first retry."""
    maximum_s: float = Field(default=600.0, gt=0, le=86_400)
    """Longest delay in seconds."""
    deadline_s: float = Field(default=72 * 3600.0, gt=0, le=30 * 86_400)
    """Seconds for all attempts and waits together; then the request waits as a dead letter."""
    timeout_s: float = Field(default=30.0, gt=0, le=600)
    """Seconds for one attempt."""
