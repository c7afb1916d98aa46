#!/usr/bin/env python3
"""Checks the rules of Grafana's dashboard-linter, and that every metric, label and value exists. Needs only Python."""

import json
import re
import sys

import model
import promql

# Units that the panels use, of those in https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts
UNITS = {
    "none",
    "short",
    "locale",
    "percentunit",
    "bytes",
    "Bps",
    "s",
    "dtdurations",
    "ops",
    "reqps",
    "cpm",
    "bool_yes_no",
    "string",
}
BUILT_IN = {
    "__rate_interval",
    "__range",
    "__range_s",
    "__from",
    "__to",
    "__url_time_range",
    "__data",
    "__field",
    "__all",
}
RANGES = {
    # `increase` over the whole time range gives totals; the linter allows it.
    "rate": {"$__rate_interval"},
    "irate": {"$__rate_interval"},
    "increase": {"$__rate_interval", "$__range"},
    # A gauge at any moment of the whole time range.
    "max_over_time": {"$__range"},
}


class Lint:
    def __init__(self):
        self.failures, self.used, self.targets = [], set(), 0
        self.families, self.values, self.relations = model.families(), model.label_values(), model.relations()
        self.uids = {d["uid"] for d in [*model.dashboards().values(), model.clickhouse()]}
        exclusions = json.loads((model.DASHBOARDS / ".lint").read_text(encoding="utf-8"))["exclusions"]
        self.exclusions = {
            (rule, entry["dashboard"], entry.get("panel")) for rule, of in exclusions.items() for entry in of["entries"]
        }
        assert all(of["reason"] for of in exclusions.values())

    def fail(self, rule, dashboard, panel, what):
        for key in ((rule, dashboard["title"], panel and panel["title"]), (rule, dashboard["title"], None)):
            if key in self.exclusions:
                self.used.add(key)
                return
        self.failures.append("%s: %s%s: %s" % (rule, dashboard["title"], " / " + panel["title"] if panel else "", what))

    # === Dashboards ===

    def dashboard(self, dashboard, source="prometheus"):
        """The rules for a whole dashboard, whose data are in `source`."""
        fail = lambda rule, what: self.fail(rule, dashboard, None, what)
        variables = dashboard["templating"]["list"]
        if dashboard.get("editable") is not False:
            fail("uneditable-dashboard-rule", "is editable")
        if dashboard.get("editable") is not True:
            fail("own", "is not editable")

        sources = [v for v in variables if v["type"] == "datasource"]
        if not sources:
            fail("template-datasource-rule", "has no data source variable")
        for v in sources:
            name, label = v["query"] + "_datasource", v["query"].title() + " data source"
            alone = len(sources) == 1
            if v["name"] != name and not (alone and v["name"] == "datasource"):
                fail(
                    "template-datasource-rule",
                    "%s should be %s%s" % (v["name"], name, " or datasource" if alone else ""),
                )
            if v["label"] != label and not (alone and v["label"] == "Data source"):
                fail("template-datasource-rule", "label %r should be %r" % (v["label"], label))
        # The exception is for additional data sources, not for this one.
        if [v["query"] for v in sources if v["name"] == "datasource" or v["label"] == "Data source"] != [source]:
            fail("own", "not exactly one data source named datasource")
        for v in variables:
            if v["type"] == "query" and v["refresh"] != 2:
                fail("template-on-time-change-reload", v["name"])

        self.layout(dashboard)
        text = json.dumps(dashboard)
        for name in set(re.findall(r"\$\{?([A-Za-z_]\w*)", text)) - BUILT_IN - {v["name"] for v in variables}:
            fail("own", "unknown variable $%s" % name)
        for uid in set(re.findall(r'"/d/([\w-]+)', text)) - self.uids:
            fail("own", "a link to the unknown dashboard %s" % uid)

    def prometheus(self, dashboard):
        """The rules for a dashboard of Prometheus, its panels aside."""
        fail = lambda rule, what: self.fail(rule, dashboard, None, what)
        variables = dashboard["templating"]["list"]
        named = {v["name"]: v for v in variables}
        for name in ("job", "instance"):
            v = named.get(name)
            rule = "template-%s-rule" % name
            if v is None:
                fail(rule, "has no variable %s" % name)
                continue
            wanted = {"type": "query", "label": name.title(), "multi": True, "allValue": ".+"}
            for key, value in wanted.items():
                if v.get(key) != value:
                    fail(rule, "%s is %r, should be %r" % (key, v.get(key), value))
            if v["datasource"]["uid"] not in ("$datasource", "${datasource}"):
                fail(rule, "uses %s" % v["datasource"])
        for v in variables:
            if v["type"] != "query":
                continue
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", v["query"])
            if not match:
                fail("template-label-promql-rule", v["query"])
                continue
            self.query("template-label-promql-rule", dashboard, None, match[1], in_variable=True)
            metric = promql.read(match[1]).selectors[0].metric
            if match[2] not in self.labels_of(metric):
                fail("template-label-promql-rule", "%s has no label %s" % (metric, match[2]))
        for annotation in dashboard["annotations"]["list"]:
            if "target" in annotation:
                self.query(
                    "target-promql-rule", dashboard, None, annotation["target"]["expr"], legend=annotation["textFormat"]
                )

    def clickhouse(self, dashboard):
        """The same for that of ClickHouse. That its queries run is another check's: deploy/clickhouse/check."""
        for v in dashboard["templating"]["list"]:
            if v["type"] == "query":
                self.sql(dashboard, None, v["query"])

    def sql(self, dashboard, panel, query):
        """A query reads what is there, and no more than the chosen time and routes. That of a variable has neither."""
        read = set(re.findall(r"\b(?:FROM|JOIN) ([\w.]+)", query))
        known = {"closewatch." + name for name in self.relations}
        if not read or read - known:
            self.fail("own", dashboard, panel, "reads %s: %s" % (sorted(read - known) or "nothing", query))
        for variable in ("${__from:date:iso}", "${__to:date:iso}", "${route:regex}") if panel else ():
            if variable not in query:
                self.fail("own", dashboard, panel, "without %s: %s" % (variable, query))

    def layout(self, dashboard):
        every = [p for p in dashboard["panels"]] + [
            p for row in dashboard["panels"] if row["type"] == "row" for p in row["panels"]
        ]
        ids = [p["id"] for p in every]
        if len(ids) != len(set(ids)):
            self.fail("own", dashboard, None, "two panels with one id")
        taken = {}
        for p in dashboard["panels"]:
            at = p["gridPos"]
            for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
                if cell in taken or cell[0] > 23:
                    self.fail("own", dashboard, None, "%s lies over %s" % (p["title"], taken.get(cell, "the edge")))
                    break
                taken[cell] = p["title"]
        # An explanation of a spike begins with the findings of it.
        top = min((p for p in every if p["type"] != "row"), key=lambda p: p["gridPos"]["y"])
        if dashboard["uid"] == "closewatch-explain" and "closewatch_findings" not in str(top["targets"]):
            self.fail("own", dashboard, None, "the findings do not come first")

    # === Panels ===

    def panel(self, dashboard, panel):
        fail = lambda rule, what: self.fail(rule, dashboard, panel, what)
        sources = {"${%s}" % v["name"] for v in dashboard["templating"]["list"] if v["type"] == "datasource"}
        for holder in (panel, *panel["targets"]):
            if holder["datasource"]["uid"] not in sources:
                fail("panel-datasource-rule", "uses %s" % holder["datasource"])
        for key in ("title", "description"):
            if not panel.get(key):
                fail("panel-title-description-rule", "has no " + key)
        if not panel["targets"]:
            fail("panel-no-targets-rule", "has no query")
        units = [panel["fieldConfig"]["defaults"].get("unit")]
        units += [p["value"] for o in panel["fieldConfig"]["overrides"] for p in o["properties"] if p["id"] == "unit"]
        if panel["type"] != "logs" and not set(units) <= UNITS:
            fail("panel-units-rule", "units %s" % units)
        for target in panel["targets"]:
            self.targets += 1
            if "rawSql" in target:
                self.sql(dashboard, panel, target["rawSql"])
                continue
            if target["datasource"]["type"] != "prometheus":
                fail("target-promql-rule", "not a query to Prometheus")
                continue
            # Both have as many variants, in the same order, if the legend names the variable.
            queries = model.variants(dashboard, target["expr"])
            legends = model.variants(dashboard, target["legendFormat"])
            for i, expr in enumerate(queries):
                self.query("target-promql-rule", dashboard, panel, expr, legends[i % len(legends)])

    # === Queries ===

    def labels_of(self, metric):
        base = re.sub(r"_(bucket|sum|count)$", "", metric)
        always = {"job", "instance"}
        if metric in model.OTHERS:
            return always
        if base != metric and self.families.get(base, ("",))[0] == "histogram":
            return self.families[base][1] | always | ({"le"} if metric.endswith("_bucket") else set())
        if metric in self.families and self.families[metric][0] != "histogram":
            return self.families[metric][1] | always
        return None

    def query(self, rule, dashboard, panel, expr, legend="", in_variable=False):
        fail = lambda rule, what: self.fail(rule, dashboard, panel, "%s in %s" % (what, expr))
        try:
            query = promql.read(expr)
        except promql.NotRead as error:
            fail(rule, str(error))
            return
        if not query.selectors:
            fail(rule, "no metric")
        shared = None
        for s in query.selectors:
            labels = self.labels_of(s.metric)
            if labels is None:
                fail("own", "%s is not exported" % s.metric)
                continue
            # Beside other metrics build_info only selects the processes that are closewatch; it adds no label.
            if s.metric != "closewatch_build_info" or len(query.selectors) == 1:
                shared = labels if shared is None else shared & labels
            for label, operator, value in s.matchers:
                if label not in labels:
                    fail("own", "%s has no label %s" % (s.metric, label))
                plain = value.replace("([.]0)?", "")
                if "$" not in value and plain not in self.values:
                    fail("own", "no %s is %r" % (label, value))
            if not in_variable:
                for name in ("job", "instance"):
                    if (name, "=~", "$" + name) not in s.matchers:
                        fail("target-%s-rule" % name, "%s without %s" % (s.metric, name))
                if s.metric.endswith("_total") and (s.range is None or s.function not in RANGES):
                    fail("target-counter-agg-rule", s.metric)
                if s.range is not None and s.range not in RANGES.get(s.function, ()):
                    fail("target-rate-interval-rule", "%s(%s[%s])" % (s.function, s.metric, s.range))
        shared = shared or set()
        for label in query.labels - shared:
            fail("own", "no label %s to group by" % label)
        given = {label for labels in query.grouped_by for label in labels} if query.grouped_by else shared
        for label in set(re.findall(r"{{\s*(\w+)\s*}}", legend)) - given:
            fail("own", "no label %s for the legend" % label)

    def one(self, dashboard):
        """Checks one dashboard, and returns the number of its panels."""
        if dashboard["uid"] == model.clickhouse()["uid"]:
            self.dashboard(dashboard, "grafana-clickhouse-datasource")
            self.clickhouse(dashboard)
        else:
            self.dashboard(dashboard)
            self.prometheus(dashboard)
        for panel in (panels := list(model.panels(dashboard))):
            self.panel(dashboard, panel)
        return len(panels)

    def run(self):
        found = [*model.dashboards().values(), model.clickhouse()]
        if len(self.uids) != len(found):
            sys.exit("lint: two dashboards with one uid")
        count = 0
        for dashboard in found:
            count += self.one(dashboard)
        for stale in sorted(self.exclusions - self.used, key=str):
            self.failures.append(".lint: not needed any more: %s" % (stale,))
        if count < 40 or self.targets < 60:
            self.failures.append("only %d panels with %d queries were found" % (count, self.targets))
        for failure in self.failures:
            print("lint: " + failure, file=sys.stderr)
        if self.failures:
            sys.exit("lint: %d failures" % len(self.failures))
        print(
            "lint: %d dashboards, %d panels, %d queries keep the rules, %d exceptions"
            % (len(found), count, self.targets, len(self.exclusions))
        )


# Each of these breaks a dashboard, and its rule must find it: a lint that accepts everything would check nothing.
def first(dashboard, kind="timeseries"):
    return next(p for p in model.panels(dashboard) if p["type"] == kind)


def with_query(expr, legend=""):
    return lambda d: first(d)["targets"][0].update(expr=expr, legendFormat=legend)


SPOILT = [
    ("own", lambda d: d.update(editable=False)),
    ("template-datasource-rule", lambda d: d["templating"]["list"][0].update(name="prom")),
    ("template-job-rule", lambda d: d["templating"]["list"][1].update(allValue=".*")),
    ("template-instance-rule", lambda d: d["templating"]["list"].pop(2)),
    ("template-on-time-change-reload", lambda d: d["templating"]["list"][3].update(refresh=1)),
    (
        "template-label-promql-rule",
        lambda d: d["templating"]["list"][3].update(query="label_values(closewatch_draining, route)"),
    ),
    ("panel-datasource-rule", lambda d: first(d).update(datasource={"type": "prometheus", "uid": "abc"})),
    ("panel-title-description-rule", lambda d: first(d).update(description="")),
    ("panel-no-targets-rule", lambda d: first(d).update(targets=[])),
    ("panel-units-rule", lambda d: first(d)["fieldConfig"]["defaults"].update(unit="sessions")),
    ("target-promql-rule", with_query("sum(")),
    ("target-job-rule", with_query('closewatch_draining{instance=~"$instance"}')),
    ("target-instance-rule", with_query('closewatch_draining{job=~"$job", instance=~"prod.*"}')),
    ("target-counter-agg-rule", with_query('sum(closewatch_closes_total{job=~"$job", instance=~"$instance"})')),
    ("target-rate-interval-rule", with_query('rate(closewatch_closes_total{job=~"$job", instance=~"$instance"}[5m])')),
    ("own", with_query('closewatch_drained{job=~"$job", instance=~"$instance"}')),
    ("own", with_query('closewatch_draining{job=~"$job", instance=~"$instance", route="chat"}')),
    (
        "own",
        with_query(
            'rate(closewatch_closes_total{job=~"$job", instance=~"$instance", class="anormal"}[$__rate_interval])'
        ),
    ),
    (
        "own",
        with_query(
            'sum by (kind) (rate(closewatch_closes_total{job=~"$job", instance=~"$instance"}[$__rate_interval]))'
        ),
    ),
    ("own", with_query('sum(closewatch_draining{job=~"$job", instance=~"$instance"})', "{{route}}")),
    ("own", lambda d: first(d)["gridPos"].update(x=20)),
    ("own", lambda d: d.update(description="$nothing")),
]


def with_sql(old, new):
    def spoil(d):
        target = first(d, "table")["targets"][0]
        target["rawSql"] = target["rawSql"].replace(old, new)

    return spoil


# The same on the dashboard of ClickHouse.
SPOILT_SQL = [
    ("own", with_sql("closewatch.", "closewatch.the_")),
    ("own", with_sql("${route:regex}", "")),
    ("own", with_sql("${__to:date:iso}", "2100-01-01T00:00:00Z")),
    ("own", lambda d: d["templating"]["list"][1].update(query="SELECT route FROM closewatch.routes")),
    ("own", lambda d: d["templating"]["list"][0].update(query="prometheus")),
    ("own", lambda d: first(d)["gridPos"].update(x=20)),
    ("template-on-time-change-reload", lambda d: d["templating"]["list"][1].update(refresh=1)),
    ("panel-datasource-rule", lambda d: first(d, "table").update(datasource={"type": "prometheus", "uid": "abc"})),
    ("panel-title-description-rule", lambda d: first(d, "table").update(description="")),
    ("panel-no-targets-rule", lambda d: first(d, "table").update(targets=[])),
    ("panel-units-rule", lambda d: first(d, "table")["fieldConfig"]["defaults"].update(unit="sessions")),
]


SPOILT_EXPLAIN = [("own", lambda d: d["panels"][0]["gridPos"].update(y=900))]


def self_test():
    explain = [(*spoilt, model.dashboards()["explain.json"]) for spoilt in SPOILT_EXPLAIN]
    overview = [(*spoilt, model.dashboards()["overview.json"]) for spoilt in SPOILT]
    clickhouse = [(*spoilt, model.clickhouse()) for spoilt in SPOILT_SQL]
    for rule, spoil, dashboard in overview + explain + clickhouse:
        lint = Lint()
        spoil(dashboard)
        lint.one(dashboard)
        if not any(failure.startswith(rule + ":") for failure in lint.failures):
            sys.exit("lint: self-test: %s does not find what is wrong; found: %s" % (rule, lint.failures))


if __name__ == "__main__":
    self_test()
    Lint().run()
