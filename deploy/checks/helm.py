"""Stands in for `helm template RELEASE CHART --values FILE --show-only TEMPLATE`, with Helm's own SDK."""

import argparse
import sys
from pathlib import Path

import helm_python
import yaml

words = argparse.ArgumentParser()
words.add_argument("command", choices=["template"])
words.add_argument("release")
words.add_argument("chart")
words.add_argument("--values", type=Path, required=True)
words.add_argument("--show-only", required=True)
words = words.parse_args()

chart = helm_python.Chart.load(words.chart)
values = yaml.safe_load(words.values.read_text())
chart.validate_schema(chart.merge_values(values))
found = [text for path, text in chart.render(values, name=words.release, namespace="default").items() if path.endswith(f"/{words.show_only}")]
if not found:
    sys.exit(f"Error: could not find template {words.show_only} in chart")
print("---\n" + "\n---\n".join(found))
