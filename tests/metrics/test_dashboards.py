"""Dashboard and rules speak of what a real run shows: every query parses, every metric and every label exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from contracts import metrics
from tests.metrics.scraping import Scrape

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/orchestrator.json").read_text())
VARIABLES = {"__rate_interval": "5m", "__range": "1h", "dialect": ".*", "service": ".*", "odoo": ".*"}
PROMETHEUS_OWN = {"up": {"job", "instance"}}
DOCUMENTED = {metric.name: set(metric.labels) for metric in metrics.ALL}


@dataclass(frozen=True, slots=True)
class Used:
    """A metric that a query names, and the labels by which it is chosen or grouped."""

    metric: str
    labels: frozenset[str]


def rules(file: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / file).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    shown = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
    files = [
        (rule.get("alert") or rule["record"], rule["expr"])
        for file in ("recording.yml", "alerts.yml")
        for rule in rules(file)
    ]
    return [*shown, *files]


def filled(query: str) -> str:
    return re.sub(r"\$(\w+)", lambda found: VARIABLES[found[1]], query)


def used(query: str) -> Iterator[Used]:
    """Grouping labels are asked of every metric below them, but for what a recording rule has left."""
    chosen: list[tuple[str, set[str]]] = []
    grouped: set[str] = set()

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            chosen.append((node.name or "", {matcher.name for matcher in node.matchers.matchers}))
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            grouped.update(node.modifier.labels)
        return True

    promql_parser.walk(promql_parser.parse(filled(query)), visit)
    for metric, labels in chosen:
        yield Used(metric, frozenset(labels | grouped))


QUERIES = pytest.mark.parametrize(
    "query",
    [query for _, query in queries()],
    ids=[f"{number} {name}" for number, (name, _) in enumerate(queries())],
)


@QUERIES
def test_a_query_names_metrics_and_labels_of_a_real_run(query: str, scrape: Scrape) -> None:
    recorded = {rule["record"] for rule in rules("recording.yml")}
    found = list(used(query))
    assert found
    for one in found:
        if one.metric in recorded:
            continue
        known = PROMETHEUS_OWN.get(one.metric) or scrape.labels(one.metric) | _documented(one.metric)
        assert one.metric in scrape.names | set(PROMETHEUS_OWN), f"{one.metric} is in no scrape"
        assert one.labels <= known, f"{one.metric} has no label {one.labels - known}"


def _documented(name: str) -> set[str]:
    bare = re.sub(r"_(total|bucket|sum|count)$", "", name)
    return DOCUMENTED.get(name) or DOCUMENTED.get(bare) or set()


@pytest.mark.parametrize("query", ["sum(rate(orchestrator_made_up_total[5m]))", "sum by (colour) (orchestrator_slots)"])
def test_a_wrong_query_is_found(query: str, scrape: Scrape) -> None:
    with pytest.raises(AssertionError, match=r"is in no scrape|has no label"):
        test_a_query_names_metrics_and_labels_of_a_real_run(query, scrape)


@pytest.mark.parametrize("written", ["20", "20.0"])
def test_a_share_within_a_time_is_found_however_prometheus_writes_the_bucket(written: str) -> None:
    """Prometheus 3 makes floats of them."""
    (rule,) = (rule for rule in rules("recording.yml") if rule["record"] == "orchestrator:images_within_20s:ratio1h")
    (pattern,) = re.findall(r'le=~"([^"]+)"', rule["expr"])
    assert re.fullmatch(pattern, written)
    assert 20.0 in metrics.BUCKETS_S


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert all(panel["description"] and panel["targets"] for panel in panels())
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    asked = {found for _, query in queries() for found in re.findall(r"\$(\w+)", query)} - {
        "__rate_interval",
        "__range",
    }
    assert asked == variables - {"datasource"}


def test_the_panels_do_not_overlap() -> None:
    cells = [cell for panel in DASHBOARD["panels"] for cell in _cells(panel["gridPos"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def _cells(at: dict[str, int]) -> list[tuple[int, int]]:
    return [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]


def test_every_metric_of_ours_is_on_the_dashboard_or_in_an_alert() -> None:
    named = {re.sub(r"_(total|bucket|sum|count)$", "", one.metric) for _, query in queries() for one in used(query)}
    assert {metric.name for metric in metrics.ALL} - named == {"orchestrator_shadow_copies_dropped"}


@pytest.mark.parametrize("rule", rules("alerts.yml"), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_bad_it_is_what_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "action"}
    asked = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    kept = {label for one in used(rule["expr"]) for label in one.labels} | (
        PROMETHEUS_OWN["up"] if rule["expr"].startswith("up") else set()
    )
    assert asked <= kept


def test_prometheus_loads_the_rules_and_grafana_the_dashboard() -> None:
    prometheus = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    assert all((DEPLOY / "prometheus" / file).exists() for file in prometheus["rule_files"])
    jobs = {job["job_name"] for job in prometheus["scrape_configs"]}
    assert {"orchestrator-starter", "orchestrator-worker"} <= jobs
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/orchestrator.yml").read_text())
    assert provider["providers"][0]["type"] == "file"
