"""What a scrape holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line."""

    name: str
    labels: Labels
    value: float


@dataclass(slots=True)
class Scrape:
    """All lines of the worker's and the starter's endpoint."""

    text: str = ""
    kinds: dict[str, str] = field(default_factory=dict)
    """The type of each metric, by the name without suffixes."""
    samples: list[Sample] = field(default_factory=list)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Scrape:
        scrape = cls()
        for text in texts:
            scrape.text += text
            for family in text_string_to_metric_families(text):
                scrape.kinds[family.name] = family.type
                scrape.samples += [Sample(one.name, one.labels, one.value) for one in family.samples]
        return scrape

    @property
    def names(self) -> set[str]:
        """Every name that a query may use; a counter that has not counted yet has no lines, only its type."""
        return {one.name for one in self.samples} | {
            f"{name}_total" for name, kind in self.kinds.items() if kind == "counter"
        }

    def labels(self, name: str) -> set[str]:
        return {label for one in self.samples if one.name == name for label in one.labels}

    def total(self, name: str, **labels: str) -> float:
        """The sum of all lines with these labels."""
        return sum(one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items())
