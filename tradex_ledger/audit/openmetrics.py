"""Metrics as text, as Prometheus and its kin collect it; the textfile collector of node-exporter reads it, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from tradex_ledger.audit.metrics import Metric

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""What a page that serves it says that it is."""
_KINDS = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}


class _These(Collector):
    """Metrics that are known."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        for one in self._found:
            names = [name for name, _ in one.samples[0][0]] if one.samples else []
            family = _KINDS[one.kind](one.name, one.help, labels=names, unit=one.unit)
            for labels, value in one.samples:
                family.add_metric([text for _, text in labels], value)
            yield family


def render(found: Iterable[Metric]) -> str:
    """The text, which ends with its own mark: who has no end has not all of it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_These(found))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]  # the library types the other one only
    return text.decode("utf-8")
