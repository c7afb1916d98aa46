"""Renders and lints the Helm chart with Helm's own SDK, without a cluster. `chart.py CHART OUT` writes all objects to OUT."""

import sys
from pathlib import Path

import helm_python

chart_path, out = sys.argv[1:]
VALUES = {"upstream": "http://chat.default:80", "extraConfig": "[classes]\n\"4401\" = \"policy\"\n"}
# Values that the schema of the chart must refuse: a schema that accepts everything would check nothing.
REFUSED = [{"upstrem": "http://chat"}, {"upstream": "https://chat"}, {"image": {"tag": "latest"}},
           {"timeouts": {"drain": "15s"}}, {"monitoring": {"interval": "1m30"}}]


def fail(message):
    sys.exit(f"helm: {message}")


report = helm_python.lint(chart_path, VALUES, strict=True)
problems = [it for it in report["messages"] if it["severity"] >= 2]
if report["total_charts_linted"] != 1 or report["errors"] or problems:
    fail(f"lint: {report}")

chart = helm_python.Chart.load(chart_path)
for values in REFUSED:
    try:
        chart.validate_schema(chart.merge_values(values))
    except helm_python.HelmError:
        continue
    fail(f"the values {values} are accepted")

renders = [chart.render(values, name="edge", namespace="chat") for values in ({}, VALUES)]
if "kind: Deployment" in "".join(renders[0].values()):
    fail("a Deployment without an upstream")
Path(out).write_text("\n---\n".join(text for _, text in sorted(renders[1].items())))
print(f"  lint: ok; values that are refused: {len(REFUSED)}; templates: {len(renders[1])}")
