"""What we ask of an Odoo's external interface. Two adapters speak it; one suite holds both to this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import JsonValue

from activities.odoo.errors import OdooRefusedError
from contracts.callbacks import Verdict

Values = Mapping[str, JsonValue]
"""Field -> value, as Odoo's JSON has them: an empty field is false, a many2one its id, bytes are base64."""
Domain = Sequence[Sequence[JsonValue]]
"""What `search` takes: conditions that must all hold."""


class OdooPort(Protocol):
    """Calls as one user of one database. Every call raises `OdooRefusedError`, whoever made it fail."""

    async def read(self, model: str, ids: Sequence[int], fields: Sequence[str]) -> list[dict[str, JsonValue]]:
        """The fields of those records that there are, and their ids."""
        ...

    async def search(self, model: str, domain: Domain, limit: int) -> list[int]:
        """The ids of at most `limit` records."""
        ...

    async def write(self, model: str, ids: Sequence[int], values: Values) -> None:
        """Change records, in one transaction."""
        ...

    async def create(self, model: str, values: Values) -> int:
        """Create a record; gives its id."""
        ...

    async def unlink(self, model: str, ids: Sequence[int]) -> None:
        """Delete records, in one transaction."""
        ...

    async def press(self, model: str, button: str, ids: Sequence[int]) -> None:
        """What a button does: call a public method that takes no arguments on records, in one transaction."""
        ...

    async def post_message(self, model: str, record_id: int, message: Values) -> None:
        """Post in the chatter of a record; `message` are the named arguments of `message_post`."""
        ...


class MethodCalls(ABC):
    """The port on top of the one call that an adapter makes."""

    @abstractmethod
    async def call(self, model: str, method: str, ids: Sequence[int] | None, arguments: Values) -> JsonValue:
        """Call a public method with named arguments; `ids` is None where the method is of the model itself."""

    async def read(self, model: str, ids: Sequence[int], fields: Sequence[str]) -> list[dict[str, JsonValue]]:
        """The fields of those records that there are, and their ids."""
        answer = await self.call(model, "read", ids, {"fields": list(fields), "load": None})
        rows = answer if isinstance(answer, list) else []
        return [row for row in rows if isinstance(row, dict)]

    async def search(self, model: str, domain: Domain, limit: int) -> list[int]:
        """The ids of at most `limit` records."""
        conditions: list[JsonValue] = [list(condition) for condition in domain]
        return _ids(await self.call(model, "search", None, {"domain": conditions, "limit": limit}))

    async def write(self, model: str, ids: Sequence[int], values: Values) -> None:
        """Change records, in one transaction."""
        await self.call(model, "write", ids, {"vals": dict(values)})

    async def create(self, model: str, values: Values) -> int:
        """Create a record; gives its id."""
        made = _ids(await self.call(model, "create", None, {"vals_list": [dict(values)]}))
        if len(made) != 1:
            raise OdooRefusedError(Verdict.UNCLEAR, "Odoo did not say which record it created")
        return made[0]

    async def unlink(self, model: str, ids: Sequence[int]) -> None:
        """Delete records, in one transaction."""
        await self.call(model, "unlink", ids, {})

    async def press(self, model: str, button: str, ids: Sequence[int]) -> None:
        """What a button does: call a public method that takes no arguments on records, in one transaction."""
        await self.call(model, button, ids, {})

    async def post_message(self, model: str, record_id: int, message: Values) -> None:
        """Post in the chatter of a record; `message` are the named arguments of `message_post`."""
        await self.call(model, "message_post", [record_id], message)


def _ids(answer: JsonValue) -> list[int]:
    return [each for each in answer if isinstance(each, int)] if isinstance(answer, list) else []
