"""An HTTP Request node that draws, as one of our services."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from operations.n8n_import.addresses import UNKNOWN, Address, read_address
from operations.n8n_import.call_auth import CallAuth
from operations.n8n_import.credentials import Secrets
from operations.n8n_import.exported import Node
from operations.n8n_import.findings import Notes, quoted, quoted_expression
from operations.n8n_import.graph import Graph
from operations.n8n_import.http_calls import body, credential_type, timeout_s, tries
from operations.n8n_import.origins import Place, origin
from operations.n8n_import.timings import add_timeout, plain_number, say_left_out
from operations.n8n_import.values import Literal, Record, Reference, Unread, Value, literal_text, walk
from runtime.retry_settings import RetrySettings

_ENDPOINTS = (
    ("openai", "/images/generations", "its URL ends in /images/generations"),
    ("flux_lora", "/generate", "its URL ends in /generate"),
)
_HINTS = (
    ("openai", re.compile(r"(?i)openai|dall-?e|gpt-image|/v1/images"), "its URL names OpenAI's API"),
    ("flux_lora", re.compile(r"(?i)flux|lora"), "its URL names Flux or LoRA"),
)
_FLUX_FIELDS = frozenset({"text_prompt", "neg_prompt", "lora", "loras", "lora_scale", "steps", "cfg_scale"})
_OPENAI_FIELDS = frozenset({"n", "size", "response_format", "quality", "output_format", "style", "background"})
_CALLED: Mapping[str, str] = MappingProxyType({"openai": "/v1/images/generations", "flux_lora": "/generate"})
_OWN_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "prompt": "text_prompt",
        "negative_prompt": "neg_prompt",
        "negativePrompt": "neg_prompt",
        "model_id": "model",
        "model_name": "model",
        "modelId": "model",
        "seed": "seed",
        "steps": "steps",
        "inference_steps": "steps",
        "inferenceSteps": "steps",
        "cfg_scale": "cfg_scale",
        "cfgScale": "cfg_scale",
    }
)
"""What requests call a field -> what kind flux_lora calls it unless its `fields` say otherwise."""
_SENT_TO_OPENAI = frozenset({"prompt", "model", "size", "n"})
_LONGEST_S = 3600.0

Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class ServiceReader:
    """Reads one call to an image service."""

    node: Node
    name: str
    graph: Graph
    secrets: Secrets
    notes: Notes

    def settings(self) -> Table:
        """The `[services.NAME]` section."""
        address = read_address(self.node.text("url"), self.node.name, self.graph)
        content = body(self.node)
        kind, why = self._kind(address, content)
        table: Table = {"kind": kind, "base_url": self._base_url(address, kind)}
        self._say_kind(kind, why, address)
        auth = CallAuth(self.node, f"services.{self.name}.auth", "Authorization", self.secrets, self.notes).read()
        if auth:
            table["auth"] = auth
        if address.is_private:
            table["allow_private_hosts"] = True
            self.notes.mapped(self.node.name, "its address is private: image URLs may be too (allow_private_hosts)")
        table |= self._fields(kind, content)
        table["retry"] = self._retry()
        return table

    def _kind(self, address: Address, content: Value | None) -> tuple[str, str | None]:
        """The protocol, and why; no reason where nothing tells."""
        path = address.path or ""
        for kind, ending, why in _ENDPOINTS:
            if path.endswith(ending):
                return kind, why
        if credential_type(self.node) == "openAiApi":
            return "openai", "it uses an OpenAI credential"
        names = {name for name, _ in content.fields} if isinstance(content, Record) else set()
        for kind, known in (("flux_lora", _FLUX_FIELDS), ("openai", _OPENAI_FIELDS)):
            if names & known:
                return kind, f"its body has {', '.join(quoted(name) for name in sorted(names & known))}"
        for kind, pattern, why in _HINTS:
            if pattern.search(self.node.text("url")):
                return kind, why
        return "openai", None

    def _say_kind(self, kind: str, why: str | None, address: Address) -> None:
        if why is None:
            self.notes.approximated(
                self.node.name,
                f"neither URL nor body tells which protocol it speaks: kind openai stands in services.{self.name}, "
                "check it (the other is flux_lora)",
            )
        elif address.path is not None and address.path.endswith(_CALLED[kind]):
            self.notes.mapped(self.node.name, f"service {self.name} of kind {kind}: {why}")
        else:
            called = "its path is not known" if address.path is None else f"n8n called {quoted(address.path or '/')}"
            self.notes.approximated(
                self.node.name, f"service {self.name} of kind {kind}: {why}; {called}, we call {_CALLED[kind]}"
            )

    def _base_url(self, address: Address, kind: str) -> str:
        for part in address.dropped:
            self.notes.not_mapped(self.node.name, f"{part} is not taken over; credentials belong into auth")
        if address.origin is None:
            was = quoted_expression(self.node.text("url"))
            text = f"services.{self.name}.base_url: its address, in n8n {was}; `{UNKNOWN}` stands there"
            self.notes.set_up(self.node.name, text)
            return UNKNOWN
        ending = next(ending for known, ending, _ in _ENDPOINTS if known == kind)
        path = address.path or ""
        return address.origin + (path.removesuffix(ending) if path.endswith(ending) else "")

    def _fields(self, kind: str, content: Value | None) -> Table:
        """The model, and what a Flux LoRA service calls the fields."""
        if content is None or isinstance(content, Reference | Unread):
            self._say_body(content, kind)
            return {}
        table: Table = {}
        renamed: dict[str, str] = {}
        for name, value in content.fields if isinstance(content, Record) else ():
            model = literal_text(value)
            if name == "model" and model:
                table["model"] = model
                self.notes.mapped(self.node.name, f"model {quoted(model)} -> services.{self.name}.model")
            elif (own := self._own_name(name, value, kind)) is not None:
                renamed |= {own: name} if own != name else {}
        if renamed and kind == "flux_lora":
            table["fields"] = renamed
        return table

    def _own_name(self, name: str, value: Value, kind: str) -> str | None:
        """What kind flux_lora calls the field that this one is filled from; says what is not taken over."""
        if any(isinstance(part, Unread) for part in walk(value)):
            self.notes.not_mapped(self.node.name, f"body field {quoted(name)}: an expression that cannot be read")
            return None
        if isinstance(value, Literal):
            self.notes.not_mapped(self.node.name, f"body field {quoted(name)}: a constant, which is not sent")
            return None
        found = origin(value, self.node.name, self.graph) if isinstance(value, Reference) else None
        own = _OWN_NAMES.get(found.path[-1]) if found and found.place is Place.BODY and found.path else None
        if kind != "flux_lora":
            if name not in _SENT_TO_OPENAI:
                self.notes.not_mapped(self.node.name, f"body field {quoted(name)}: kind {kind} does not send it")
        elif own is None:
            text = f"body field {quoted(name)}: where it comes from cannot be read; see services.{self.name}.fields"
            self.notes.not_mapped(self.node.name, text)
        else:
            self.notes.mapped(self.node.name, f"body field {quoted(name)} is our {own}")
            return own
        return None

    def _say_body(self, content: Value | None, kind: str) -> None:
        if isinstance(content, Unread):
            shown = quoted_expression(content.text)
            self.notes.not_mapped(self.node.name, f"body {shown}: cannot be read; we send what kind {kind} documents")
        elif content is not None:
            self.notes.approximated(
                self.node.name, f"n8n passed a whole body through; we send the fields that kind {kind} documents"
            )

    def _retry(self) -> Table:
        table: Table = {}
        add_timeout(table, self.node, _LONGEST_S, self.notes)
        say_left_out(self.node, self.notes)
        stated = tries(self.node)
        ours = RetrySettings(timeout_s=min(timeout_s(self.node), _LONGEST_S))
        if stated is None:
            self.notes.approximated(
                self.node.name,
                f"n8n tried once; we try up to {ours.attempts} times within {ours.deadline_s / 60:g} minutes where "
                f"that cannot pay twice (services.{self.name}.retry.attempts = 1 keeps it at one)",
            )
            return table
        table["attempts"] = stated.count
        if stated.wait_s:
            table["initial_s"] = plain_number(stated.wait_s)
        self.notes.approximated(
            self.node.name,
            f"{stated}{' (the most that n8n allows)' if stated.capped else ''} -> {stated.count} tries, the first "
            f"retry after {stated.wait_s or ours.initial_s:g} s, each further wait doubled; the service's Retry-After "
            "is kept to and costs no try where it only limits the rate",
        )
        return table
