"""docs/metrics.md says what the code counts."""

from __future__ import annotations

from contracts import metrics
from tests.docs.test_docs import plain, table


def test_the_table_is_the_code() -> None:
    rows = [[plain(cell) for cell in row] for row in table("metrics.md", "Metric")]
    assert rows == [
        [metric.name, metric.kind, ", ".join(metric.labels) or "none", metric.meaning] for metric in metrics.ALL
    ]
