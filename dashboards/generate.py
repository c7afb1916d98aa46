#!/usr/bin/env python3
"""Writes the Grafana dashboards beside this file. `--check` writes nothing, and fails if a file differs.

The JSON is what Grafana imports and provisions; change source/, run this, commit both.
"""

import json
import sys
from pathlib import Path

from source.clickhouse import clickhouse
from source.explain import explain
from source.fleet import fleet
from source.itself import itself
from source.overview import overview

HERE = Path(__file__).resolve().parent
# Those of Prometheus lie here, that of ClickHouse beside its tables.
ELSEWHERE = {"clickhouse": HERE.parent / "deploy/clickhouse/dashboard.json"}
DASHBOARDS = {"clickhouse": clickhouse, "overview": overview, "explain": explain, "fleet": fleet, "itself": itself}


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit("usage: generate.py [--check]")
    differing = []
    for name, make in DASHBOARDS.items():
        path = ELSEWHERE.get(name, HERE / (name + ".json"))
        text = json.dumps(make(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        differing.append(path.name)
        if not check:
            path.write_text(text, encoding="utf-8")
    unknown = sorted(p.name for p in HERE.glob("*.json") if p.stem not in DASHBOARDS)
    if unknown:
        sys.exit("generate.py: made by nobody: " + ", ".join(unknown))
    if check and differing:
        sys.exit("generate.py: not what is committed, run dashboards/generate.py: " + ", ".join(differing))
    print(
        "generate.py: %d dashboards, %s" % (len(DASHBOARDS), "as committed" if check else "%d written" % len(differing))
    )


if __name__ == "__main__":
    main()
