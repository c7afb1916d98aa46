"""The dashboards, and the metrics and labels of closewatch: read from its source and from the golden exposition."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = ROOT / "dashboards"
# Its queries are SQL: deploy/clickhouse/check executes each of them.
CLICKHOUSE = ROOT / "deploy/clickhouse"

# Metrics of Prometheus and of the process collector. They are not in names.rs; live.py checks that they exist.
OTHERS = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "scrape_samples_scraped",
}


def dashboards():
    files = sorted(DASHBOARDS.glob("*.json"))
    assert len(files) >= 4, "the dashboards are gone: %s" % files
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in files}


def clickhouse():
    """The dashboard beside the tables in ClickHouse."""
    return json.loads((CLICKHOUSE / "dashboard.json").read_text(encoding="utf-8"))


def relations():
    """The tables and views that a query of it can read."""
    texts = [(CLICKHOUSE / name).read_text(encoding="utf-8") for name in ("records.sql", "report.sql")]
    made = set(re.findall(r"^CREATE (?:OR REPLACE )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?closewatch\.(\w+)", "\n".join(texts), re.M))
    assert len(made) > 8, "the SQL is read wrongly: %s" % sorted(made)
    return made


def panels(dashboard):
    """All panels but rows, those in collapsed rows included."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def prometheus_targets(panel):
    return [target for target in panel["targets"] if target["datasource"]["type"] == "prometheus"]


def variants(dashboard, text):
    """`text` with each choice of a custom variable that it names."""
    out = [text]
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if variable["type"] == "custom" and re.search(r"\$\{?%s\b" % name, text):
            values = [option["value"] for option in variable["options"]]
            out = [re.sub(r"\$\{%s\}|\$%s\b" % (name, name), value, each) for each in out for value in values]
    return out


def families():
    """Maps each name to (type, labels), from the source. The golden exposition must have the same names."""
    source = (ROOT / "src/export/metrics/names.rs").read_text(encoding="utf-8")
    named = dict(re.findall(r'name:\s*"(\w+)".*?labels:\s*&\[([^\]]*)\]', source, re.S))
    golden = (ROOT / "tests/data/metrics.golden").read_text(encoding="utf-8")
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", golden, re.M))
    assert len(named) > 20, "names.rs is read wrongly: %s" % sorted(named)
    assert set(named) == set(types), "names.rs and metrics.golden differ: %s" % sorted(set(named) ^ set(types))
    return {name: (types[name], set(re.findall(r"\w+", labels))) for name, labels in named.items()}


def label_values():
    """The values of labels that are in the golden exposition, or in the source of the verdict."""
    golden = (ROOT / "tests/data/metrics.golden").read_text(encoding="utf-8")
    values = set(re.findall(r'="([^"]*)"', golden))
    assert len(values) > 50, "metrics.golden has no labels"
    for path in sorted((ROOT / "src/close").rglob("*.rs")):
        values.update(re.findall(r'"(\w+)"', path.read_text(encoding="utf-8")))
    return values
