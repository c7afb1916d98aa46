#!/usr/bin/env python3
"""Runs every query of every dashboard against a real Prometheus that scrapes two real demos: `live.py CLOSEWATCH`.

The demos run as they do by default, and after half a minute no panel is empty. One of them is drained and started again meanwhile, so
that there are drains, restarts and a fleet.
"""

import math
import re
import sys
import time

import model
from stage import Demo, Stage

# Maps (file, panel or annotation, query) to the reason why it has no data here.
EMPTY = {}

# Seconds before and behind the restart: half a minute. `RANGE` is the time range of tables and totals, which look at the range before, too.
BEFORE, AFTER, RANGE = 12, 18, 15


def finite(series):
    values = series["values"] if "values" in series else [series["value"]]
    return any(math.isfinite(float(value)) for _, value in values)


class Checks:
    """Runs queries up to `end`: over `span` seconds, or over all of `history` for graphs and annotations. `rate` is the window of rates."""

    def __init__(self, prometheus, end, span, history, rate="5s", step=1, expected=EMPTY):
        self.prometheus, self.end, self.span, self.rate, self.step = prometheus, end, span, rate, step
        self.history, self.expected = history, expected
        self.asked, self.failures, self.empty = 0, [], []

    def filled(self, text):
        text = re.sub(r"\$\{?__rate_interval\}?", self.rate, text)
        text = re.sub(r"\$\{?__range_s\}?", str(self.span), text)
        text = re.sub(r"\$\{?__range\}?", "%ds" % self.span, text)
        return re.sub(r"\$\{?[a-z]\w*(:\w+)?\}?", ".+", text)

    def ask(self, file, where, ref, expr, instant=False, span=None):
        """Returns the series that have a number. It is a failure if there are none, unless that is expected."""
        self.asked += 1
        try:
            expr = self.filled(expr)
            got = (
                self.prometheus.instant(expr, self.end)
                if instant
                else self.prometheus.over(expr, self.end - (span or self.span), self.end, self.step)
            )
        except ValueError as error:
            self.failures.append("%s: %s, %s: %s: %s" % (file, where, ref, error, expr))
            return []
        got = [series for series in got if finite(series)]
        if not got and (file, where, ref) in self.expected:
            self.empty.append((file, where, ref))
        elif not got:
            self.failures.append("%s: %s, %s: no data: %s" % (file, where, ref, expr))
        return got

    def panel(self, file, dashboard, panel):
        names = set()
        for target in model.prometheus_targets(panel):
            for expr in model.variants(dashboard, target["expr"]):
                # The graphs show all that there was: the demo plays its rarest scene twice a minute.
                got = self.ask(file, panel["title"], target["refId"], expr, target["instant"], self.history)
                names.update({"Value #" + target["refId"]}, *(series["metric"] for series in got))
        for step in panel.get("transformations", []):
            if step["id"] == "organize":
                # A column that no query fills, or a column without a name.
                wanted = set(step["options"]["indexByName"])
                hidden = set(step["options"]["excludeByName"]) - {"Time"}
                if wanted | hidden != names:
                    self.failures.append(
                        "%s: %s: columns %s" % (file, panel["title"], sorted((wanted | hidden) ^ names))
                    )

    def dashboard(self, file, dashboard):
        for panel in model.panels(dashboard):
            self.panel(file, dashboard, panel)
        for annotation in dashboard["annotations"]["list"]:
            if "target" in annotation:
                self.ask(file, annotation["name"], "Anno", annotation["target"]["expr"], span=self.history)
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                self.asked += 1
                match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
                values = self.prometheus.api("label/%s/values" % match[2], **{"match[]": self.filled(match[1])})
                if not values:
                    self.failures.append("%s: the variable %s has no values" % (file, variable["name"]))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: live.py CLOSEWATCH")
    binary, began = sys.argv[1], time.monotonic()
    with Stage() as stage:
        demos = [Demo(stage, binary, "demo-%d" % i) for i in (1, 2)]
        prometheus = stage.prometheus({"closewatch": {"demo-%d" % i: demo.admin for i, demo in enumerate(demos, 1)}}, "1s")
        time.sleep(BEFORE)
        stage.stop(demos[1].process)
        Demo(stage, binary, "demo-2", demos[1].admin)
        time.sleep(AFTER)
        checks = Checks(prometheus, time.time(), RANGE, BEFORE + AFTER)
        for file, dashboard in model.dashboards().items():
            checks.dashboard(file, dashboard)
        for failure in checks.failures:
            print("live: " + failure, file=sys.stderr)
        if checks.asked < 100:
            sys.exit("live: only %d queries were found" % checks.asked)
        if checks.failures:
            sys.exit("live: %d of %d queries failed" % (len(checks.failures), checks.asked))
    for key in checks.empty:
        print("live: empty, as expected: %s: %s, %s: %s" % (*key, EMPTY[key]))
    for key in set(EMPTY) - set(checks.empty):
        sys.exit("live: expected to be empty, and is not: %s" % (key,))
    print(
        "live: %d queries and variables return data, %d are empty for a named reason, %d s"
        % (checks.asked - len(checks.empty), len(checks.empty), time.monotonic() - began)
    )


if __name__ == "__main__":
    main()
