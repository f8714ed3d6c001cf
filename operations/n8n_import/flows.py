"""One webhook and what lies behind it, as the sections of a configuration: its route, services and Odoo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ValidationError

from operations.n8n_import.addresses import UNKNOWN
from operations.n8n_import.callbacks import DATABASE, CallbackReader
from operations.n8n_import.credentials import Secrets
from operations.n8n_import.dialect_guess import Guess, evidence, guess, in_words
from operations.n8n_import.dialect_marks import MARKS
from operations.n8n_import.exported import Node
from operations.n8n_import.findings import Notes, quoted
from operations.n8n_import.graph import Graph
from operations.n8n_import.image_services import ServiceReader
from operations.n8n_import.names import free_name, slug
from operations.n8n_import.responses import ResponseReader
from operations.n8n_import.roles import Roles, roles
from operations.n8n_import.surroundings import note_nodes
from operations.n8n_import.webhooks import WebhookReader
from runtime.configuration_errors import explain
from runtime.settings import Settings

Table = dict[str, object]
Tables = dict[str, Table]
SectionName = Literal["worker", "store", "odoos", "services", "routes"]


@dataclass(slots=True)
class Sections:
    """The sections of a configuration, and what to say above each."""

    store: Table = field(default_factory=dict)
    odoos: Tables = field(default_factory=dict)
    services: Tables = field(default_factory=dict)
    routes: Tables = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    """By dotted path."""

    def add(self, other: Sections) -> None:
        """Take over everything that another one has."""
        self.store |= other.store
        self.odoos |= other.odoos
        self.services |= other.services
        self.routes |= other.routes
        self.remarks |= other.remarks

    def problems(self) -> list[str]:
        """Why these are no settings, one line each."""
        tree = {"store": self.store, "odoos": self.odoos, "services": self.services, "routes": self.routes}
        try:
            Settings.model_validate(tree)
        except ValidationError as error:
            return explain(error)
        return []


@dataclass(frozen=True, slots=True)
class ImportedRoute:
    """One webhook that became a route."""

    name: str
    workflow: str
    node: str
    path: str
    methods: tuple[str, ...]
    active: bool
    guess: Guess


@dataclass(frozen=True, slots=True)
class Flow:
    """One webhook."""

    webhook: Node
    graph: Graph
    notes: Notes

    @property
    def is_active(self) -> bool:
        """Whether n8n answers it."""
        return self.graph.workflow.active and not self.webhook.disabled

    def read(
        self, known: Sections, taken: Mapping[tuple[str, str], str], secrets: Secrets
    ) -> tuple[Sections, ImportedRoute] | None:
        """Its sections, or None where it can be no route; `taken` are the routes by method and path."""
        found = roles(self.graph, self.webhook.name)
        note_nodes(self.graph, self.webhook, found, self.notes)
        name = free_name(self._wanted_name(), known.routes)
        reader = WebhookReader(self.webhook, name, secrets, self.notes)
        path = reader.path()
        if path is None or not self._is_whole(found):
            return None
        chosen = self._guess(path, found)
        table = reader.settings(MARKS[chosen.dialect].request_header, active=self.is_active)
        methods = [str(method) for method in table["methods"]] if isinstance(table["methods"], list) else []
        if self._is_taken([(method, path) for method in methods], taken):
            return None
        table = {"path": path, "dialect": chosen.dialect, **table}
        table |= ResponseReader(self.webhook, chosen.dialect, self.graph, self.notes).settings()
        active = "active" not in table
        route = ImportedRoute(name, self.notes.workflow, self.webhook.name, path, tuple(methods), active, chosen)
        sections = self._sections(route, table, found, known, secrets)
        return (sections, route) if self._is_valid(sections, route) else None

    def _wanted_name(self) -> str:
        name = self.graph.workflow.name
        return slug(name if len(self.graph.webhooks) == 1 else f"{name} {self.webhook.name}", "route")

    def _is_whole(self, found: Roles) -> bool:
        if found.too_many:
            problem = "there are too many HTTP Request nodes behind it"
        elif not found.services:
            problem = "no HTTP Request node behind it calls an image service"
        elif found.callback is None:
            problem = "no HTTP Request node behind it calls Odoo back"
        else:
            return True
        self.notes.not_mapped(self.webhook.name, f"{problem}: no route")
        return False

    def _guess(self, path: str, found: Roles) -> Guess:
        behind = map(self.graph.node, self.graph.reached([self.webhook.name]))
        ends = [self.graph.node(name) for name in (found.callback, found.failure) if name is not None]
        return guess(evidence(path, behind, ends, ends[0].text("url").partition("?")[0]))

    def _is_taken(self, places: list[tuple[str, str]], taken: Mapping[tuple[str, str], str]) -> bool:
        other = next((taken[place] for place in places if place in taken), None)
        if other is not None:
            self.notes.not_mapped(self.webhook.name, f"routes.{other} has the same path and method: no route")
        return other is not None

    def _sections(
        self, route: ImportedRoute, table: Table, found: Roles, known: Sections, secrets: Secrets
    ) -> Sections:
        sections = Sections()
        failure = self.graph.node(found.failure) if found.failure else None
        callback = CallbackReader(
            self.graph.node(str(found.callback)),
            failure,
            route.name,
            route.guess.dialect,
            self.graph,
            secrets,
            self.notes,
        )
        self._add_odoo(sections, callback.base_url(), known)
        self._add_services(sections, found, known, secrets)
        way_back = callback.settings()
        if way_back.get("images") == "url":
            sections.store["signing_key"] = secrets.for_signing("store.signing_key")
        table |= {"odoo": next(iter(sections.odoos)), "services": list(sections.services), "callback": way_back}
        sections.routes[route.name] = table
        sections.remarks[f"routes.{route.name}"] = [
            f"n8n webhook {quoted(route.node)} of {quoted(route.workflow)}",
            ("CHECK: " if route.guess.rivals else "") + in_words(route.guess),
        ]
        return sections

    def _add_odoo(self, sections: Sections, base_url: str, known: Sections) -> None:
        # Two addresses that are not known may be two Odoos: one must never hear what is the other's.
        same = (name for name, odoo in known.odoos.items() if odoo["base_url"] == base_url != UNKNOWN)
        name = next(same, None)
        if name is None:
            name = free_name("odoo", known.odoos)
            remarks = [f"called back by {quoted(self.notes.workflow)}"]
            sections.remarks[f"odoos.{name}"] = remarks
            remarks += ["CHECK: its address is missing"] if base_url == UNKNOWN else []
            where = "an address that is not known" if base_url == UNKNOWN else quoted(base_url)
            text = f"odoos.{name}.database: the name of the database behind {where}; `{DATABASE}` stands there"
            self.notes.set_up(None, text)
        sections.odoos[name] = {"database": DATABASE, "base_url": base_url}

    def _add_services(self, sections: Sections, found: Roles, known: Sections, secrets: Secrets) -> None:
        for call in found.services:
            name = free_name(slug(call, "service"), {**known.services, **sections.services})
            table = ServiceReader(self.graph.node(call), name, self.graph, secrets, self.notes).settings()
            is_known = table["base_url"] != UNKNOWN
            same = next((other for other, service in known.services.items() if is_known and service == table), name)
            if same == name:
                remarks = [f"n8n node {quoted(call)} of {quoted(self.notes.workflow)}"]
                remarks += ["CHECK: its address is missing"] if table["base_url"] == UNKNOWN else []
                sections.remarks[f"services.{name}"] = remarks
            sections.services[same] = table

    def _is_valid(self, sections: Sections, route: ImportedRoute) -> bool:
        problems = sections.problems()
        for problem in problems:
            self.notes.not_mapped(self.webhook.name, f"no route, since its settings are refused: {quoted(problem)}")
        if problems:
            return False
        if route.guess.rivals:
            self.notes.set_up(self.webhook.name, f"routes.{route.name}: {in_words(route.guess)}")
        self.notes.mapped(self.webhook.name, f"{quoted('/webhook/' + route.path)} -> routes.{route.name}")
        return True
