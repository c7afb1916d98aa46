#!/usr/bin/env python3
"""Checks what promtool does not: every rule has a test, every alert has a runbook, and every metric, label and value exists in
closewatch. Each set that is compared must not be empty: a check that reads nothing must not pass.

    coverage.py --rules COUNT --promql FILE

COUNT is the number of rules that promtool found, FILE gets the PromQL of the runbooks as rules, for promtool to parse.
"""

import argparse
import json
import re
import subprocess
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUNBOOKS = ROOT / "docs/runbooks"
RUNBOOK_URL = "https://github.com/closewatch/closewatch/blob/main/docs/runbooks/{}.md"
# The part of an alert's summary about the findings on its route.
FINDING = (
    ' {{- range printf "route_finding:closewatch_findings:limit_seconds{job=%q, route=~%q}" $labels.job (print $labels.route "|[*]")'
    ' | query }} {{- printf " Diagnosis: %s by %s" .Labels.mechanism .Labels.culprit }} {{- if .Value }}{{ printf " at %.1f s" .Value }}'
    '{{ end }}.{{ end }}'
)
# Their alerts say how sessions end, and not why: diagnosis may know.
GUESSING = (
    "AbnormalCloseBurn AbnormalClosesPerSessionHour Client1006AboveUsual MassDisconnect 1006Burst 1011Burst ReconnectStorm Flapping IdleCut "
    "PlannedOutsideDeploy PolicyCloses ProtocolCloses OverloadCloses UpstreamUnreachable UpgradesFailing UpgradesRefused InternalErrors"
).split()
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]

# Labels of a target, and metrics that are not exported by closewatch.
TARGET_LABELS = {"job", "instance", "pod", "node"}
FOREIGN_METRICS = {
    "up", "process_start_time_seconds", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
}
WORDS = set(
    "and or unless on ignoring by without group_left offset bool sum avg max min count group topk rate increase changes "
    "clamp_min clamp_max histogram_quantile avg_over_time max_over_time time".split()
)

problems = []


def check(good, problem):
    if not good:
        problems.append(problem)


def some(values, what):
    """Returns the values. Fails if there are none."""
    if not values:
        raise SystemExit(f"coverage.py: found no {what}: the check would prove nothing")
    return values


# --- rules ------------------------------------------------------------------------------------------------------------


class Rule:
    """A rule, parsed from its text: two levels of keys, each on a line of its own, longer values indented below."""

    def __init__(self, text):
        kind, self.name = re.match(r" {6}- (record|alert): (\S+)\n", text).groups()
        self.is_alert = kind == "alert"
        self.labels = dict(re.findall(r"^ {10}(\w+): (.+)$", self.block(text, "labels"), re.M))
        self.annotations = {
            key: " ".join(value.removeprefix(">-").split())
            for key, value in re.findall(r"^ {10}(\w+): (.+\n(?: {12}.*\n)*)", self.block(text, "annotations"), re.M)
        }
        self.expr = re.search(r"^ {8}expr: (.*\n(?: {10}.*\n|\n)*)", text, re.M)[1].removeprefix("|")

    @staticmethod
    def block(text, key):
        found = re.search(rf"^ {{8}}{key}:\n((?: {{10}}.*\n)*)", text, re.M)
        return found[1] if found else ""

    def __str__(self):
        labels = ", ".join(f"{key}={value}" for key, value in self.labels.items())
        return f"{self.name}{{{labels}}}"


def rules_of(path):
    parts = re.split(r"(?=^ {6}- (?:record|alert): )", path.read_text(), flags=re.M)[1:]
    return [Rule(part) for part in parts]


# --- tests ------------------------------------------------------------------------------------------------------------


def tested():
    """The label sets of alerts that a test expects to fire, and the expressions that a test expects to give a result."""
    fired, given = [], []
    for path in some(sorted((HERE / "tests").glob("*.yml")), "tests"):
        text = path.read_text()
        for case in re.split(r"^ {6}- alertname: ", text, flags=re.M)[1:]:
            name = case.split("\n", 1)[0].strip()
            for labels in re.findall(r"exp_labels:\n((?: {14}.*\n)+)", case):
                fired.append((name, {k: v.strip("'") for k, v in re.findall(r"(\w+): (.*)", labels)}))
        for case in re.split(r"^ {6}- expr: ", text, flags=re.M)[1:]:
            expr, expected = case.split("\n  - name:")[0].split("\n", 1)
            if re.search(r"exp_samples:\n {10}- labels", expected):
                given.append((expr, expected))
    return some(fired, "expected alerts"), some(given, "expected samples")


# --- names of closewatch ----------------------------------------------------------------------------------------------


class Known:
    """Maps metrics to labels, and labels to values: from the source, and from the golden exposition."""

    def __init__(self, rules):
        names = (ROOT / "src/export/metrics/names.rs").read_text()
        families = re.findall(r'name: "(\w+)",\s*help: "[^"]*",\s*labels: &\[([^\]]*)\]', names)
        self.metrics = {name: set(re.findall(r'"(\w+)"', labels)) for name, labels in families}
        self.values = {}
        golden = (ROOT / "tests/data/metrics.golden").read_text()
        series = re.findall(r"^(closewatch_\w+)(?:\{(.*)\})? ", golden, re.M)
        for name, labels in some(series, "series in metrics.golden"):
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            check(family in self.metrics or name in self.metrics, f"metrics.golden: {name} is not registered")
            self.metrics.setdefault(name, self.metrics.get(family, set()) | ({"le"} if name.endswith("_bucket") else set()))
            for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
                self.values.setdefault(label, set()).add(value)
        closed = {"src/close/labels.rs": ["class", "initiator", "cause", "outcome"], "src/diagnosis/finding.rs": ["culprit", "mechanism"]}
        for path, label in ((path, label) for path, labels in closed.items() for label in labels):
            source = (ROOT / path).read_text()
            body = re.search(rf"^ {{4}}{label.title()} \{{(.*?)^ {{4}}\}}", source, re.M | re.S)[1]
            self.values[label] |= set(some(re.findall(r'= "(\w+)"', body), f"values of {label} in {path}"))
        self.metrics |= {name: set() for name in FOREIGN_METRICS}
        some(self.metrics, "registered metrics")

        self.recorded = {rule.name for rule in rules if not rule.is_alert}
        for rule in rules:
            if not rule.is_alert:
                for label, value in rule.labels.items():
                    self.values.setdefault(label, set()).add(value)
        self.labels = set().union(*self.metrics.values(), TARGET_LABELS, *(r.labels for r in rules if not r.is_alert))

    def check(self, expr, where):
        """Checks every name in a PromQL expression."""
        expr = re.sub(r"^\s*#.*$", "", expr, flags=re.M)
        strings = []
        expr = re.sub(r'"((?:[^"\\]|\\.)*)"', lambda m: strings.append(m[1]) or f'"{len(strings) - 1}"', expr)
        for name, matchers in re.findall(r"([\w:]+)\{([^}]*)\}", expr):
            allowed = self.labels if name in self.recorded else self.metrics.get(name, set()) | {"job", "instance"}
            for label, operator, index in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"(\d+)"', matchers):
                check(label in allowed, f"{where}: {name} has no label {label}")
                value = strings[int(index)].replace("\\\\", "\\")
                for one in value.split("|") if "~" in operator else [re.escape(value)]:
                    known = any(re.fullmatch(one, each) for each in self.values.get(label, ()))
                    check(known, f"{where}: no value of {label} is {one}")
        expr = re.sub(r"\{[^}]*\}", "", expr)
        for labels in re.findall(r"\b(?:by|without|on|ignoring|group_left)\s*\(([^)]*)\)", expr):
            for label in re.findall(r"\w+", labels):
                check(label in self.labels, f"{where}: no metric has a label {label}")
        expr = re.sub(r"\b(?:by|without|on|ignoring|group_left)\s*\([^)]*\)|\[[^\]]*\]|\boffset \w+", "", expr)
        names = set(re.findall(r"[a-zA-Z_][\w:]*", expr)) - WORDS
        for name in names:
            check(name in self.metrics or name in self.recorded, f"{where}: there is no metric {name}")
        return names


# --- runbooks ---------------------------------------------------------------------------------------------------------


def log_keys():
    """The keys of a line of the close log, and of a live session."""

    def walk(value):
        if isinstance(value, dict):
            for key, below in value.items():
                yield key
                yield from walk(below)

    golden = (ROOT / "tests/data/closes.golden").read_text()
    keys = {key for line in golden.splitlines() for key in walk(json.loads(line))}
    session = (ROOT / "src/export/json/session.rs").read_text()
    fields = re.search(r"pub struct SessionFields<'a> \{(.*?)\n\}", session, re.S)[1]
    return some(keys, "keys in closes.golden") | set(some(re.findall(r"(\w+):", fields), "fields of a session")) | {"sessions"}


def run_shell(script, where):
    """Runs a block of a runbook on the golden close log, and returns its output."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "closes.jsonl").write_bytes((ROOT / "tests/data/closes.golden").read_bytes())
        session = {"client": "10.0.0.1:5555", "idle_ms": 1, "age_ms": 2, "path": "/"}
        (Path(folder) / "sessions.json").write_text(json.dumps({"count": 1, "sessions": [session]}))
        script = re.sub(r"curl -s '[^']*/sessions[^']*'", "cat sessions.json", script)
        check("curl" not in script, f"{where}: cannot try curl")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True)
        check(done.returncode == 0, f"{where}: exit {done.returncode}: {done.stderr.strip()}\n{script}")
        return done.stdout


def panels():
    """The titles of panels and dashboards."""
    titles = set()
    for path in sorted((ROOT / "dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text())
        for panel in dashboard["panels"]:
            for each in [panel, *panel.get("panels", [])]:
                titles.add((each["title"], dashboard["title"]))
    return titles


def check_links(alert, notes):
    """The link to a panel leads to the first that the runbook names, and that to the page has a filter that /closes knows."""
    text = " ".join((RUNBOOKS / f"{alert.name}.md").read_text().split())
    named = re.findall(r"\*\*([^*]+)\*\* \((closewatch / [^)]+)\)", text)
    link = re.match(r'"\{\{ \$externalLabels\.grafana \}\}/d/([\w-]+)\?viewPanel=(\d+)&', notes.get("panel_url", ""))
    check(link and named, f"{alert}: no link to a panel")
    if link and named:
        check(panel_ids().get(named[0]) == (link[1], int(link[2])), f"{alert}: panel_url is not the panel {named[0]}")
    page = re.search(r"\(first \.\)\.Labels\.url \}\}(/.*?)\{\{ end \}\}'$", notes.get("page_url", ""))
    check(page, f"{alert}: no link to the page")
    for key in re.findall(r"[?&](\w+)=", page[1] if page else ""):
        check(key in {"route", "class", "code", "cause", "initiator"}, f"{alert}: /closes has no filter {key}")
    guesses = alert.name.removeprefix("Closewatch") in GUESSING
    check((FINDING in notes.get("summary", "")) == guesses, f"{alert}: names what diagnosis finds, or does not and should")


def panel_ids():
    """Title and dashboard of each panel → uid of the dashboard, and id."""
    out = {}
    for path in some(sorted((ROOT / "dashboards").glob("*.json")), "dashboards"):
        dashboard = json.loads(path.read_text())
        for panel in dashboard["panels"]:
            for each in [panel, *panel.get("panels", [])]:
                out[(each["title"], dashboard["title"])] = (dashboard["uid"], each["id"])
    return out


def check_runbooks(alerts, known):
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    names = {alert.name for alert in alerts}
    check(pages == names, f"runbooks without an alert {pages - names}, alerts without a runbook {names - pages}")
    config = tomllib.loads((ROOT / "config/example.toml").read_text())
    keys, titles = log_keys(), panels()
    queries, outputs, named, referred = [], [], 0, 0
    for name in sorted(some(pages & names, "runbooks")):
        text, where = (RUNBOOKS / f"{name}.md").read_text(), f"docs/runbooks/{name}.md"
        check(text.startswith(f"# {name}\n"), f"{where}: the title is not the alert's name")
        check(re.findall(r"^## (.*)$", text, re.M) == SECTIONS, f"{where}: sections are not {SECTIONS}")
        for severity in {alert.labels["severity"] for alert in alerts if alert.name == name}:
            check(re.search(rf"\b{severity}\b", text, re.I), f"{where}: does not say that it is {severity}")
        promql = re.findall(r"^```promql\n(.*?)^```", text, re.M | re.S)
        check(promql, f"{where}: no PromQL")
        for query in promql:
            known.check(query, where)
            queries.append(query)
        for script in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
            for program in re.findall(r"jq -?\w* ?'([^']*)'", script):
                for key in re.findall(r"\.([a-z_]+)", re.sub(r'"[^"]*"', "", program)):
                    check(key in keys, f"{where}: the close log has no key {key}")
            outputs.append(run_shell(script, where))
        prose = " ".join(re.sub(r"```.*?```", "", text, flags=re.S).split())
        for panel, dashboard in re.findall(r"\*\*([^*]+)\*\* \((closewatch / [^)]+)\)", prose):
            named += 1
            check(not titles or (panel, dashboard) in titles, f"{where}: no panel {panel!r} in {dashboard!r}")
        for section, key in re.findall(r"`(timeouts|limits|log|metrics|admin|drain)\.(\w+)", prose):
            referred += 1
            check(key in config.get(section, {}), f"{where}: config/example.toml has no {section}.{key}")
        for target in re.findall(r"\]\(([^)]+)\)", prose):
            check((RUNBOOKS / target).is_file(), f"{where}: there is no {target}")
    introduction = (RUNBOOKS / "README.md").read_text()
    for command in some(re.findall(r"`(jq [^`]*)`", introduction), "jq in the runbooks' README"):
        outputs.append(run_shell(f"{command} <closes.jsonl", "docs/runbooks/README.md"))
        check(outputs[-1].count("\n") > 1, f"docs/runbooks/README.md: {command} finds nothing")
    some(named, "panels in runbooks")
    some(referred, "configuration keys in runbooks")
    some([output for output in outputs if output.strip()], "jq command that finds something in closes.golden")
    return some(queries, "PromQL in runbooks"), outputs


# --- all --------------------------------------------------------------------------------------------------------------


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rules", type=int, required=True)
    arguments.add_argument("--promql", type=Path, required=True)
    arguments = arguments.parse_args()

    rules = [rule for name in ("rules", "alerts") for rule in rules_of(HERE / f"closewatch.{name}.yml")]
    if len(rules) != arguments.rules:
        raise SystemExit(f"coverage.py: reads {len(rules)} rules where promtool finds {arguments.rules}")
    alerts = some([rule for rule in rules if rule.is_alert], "alerts")
    records = some([rule for rule in rules if not rule.is_alert], "records")
    known = Known(rules)
    fired, given = tested()

    used = set()
    for rule in rules:
        used |= known.check(rule.expr, rule)
    some({name for name in used if name.startswith("closewatch_")}, "metrics in the rules")
    for record in records:
        check(re.fullmatch(r"(job|route|route_\w+):closewatch_\w+:\w+", record.name), f"{record}: not level:metric:operation")
        name = re.compile(re.escape(record.name) + r"(?![\w:])")
        labels = [f'{label}="{value}"' for label, value in record.labels.items()]
        hit = any(name.search(expr) and all(label in expected for label in labels) for expr, expected in given)
        check(hit, f"{record} has no promql_expr_test that expects a sample")
    for alert in alerts:
        hit = any(name == alert.name and alert.labels.items() <= labels.items() for name, labels in fired)
        check(hit, f"{alert} fires in no alert_rule_test")
        notes = alert.annotations
        expected = {"summary", "description", "runbook_url", "panel_url", "page_url"}
        check(set(notes) == expected, f"{alert}: annotations {sorted(notes)}")
        # A sentence that is always the same, and behind it what diagnosis finds on the route.
        summary = notes.get("summary", "{{").replace(FINDING, "")
        check("{{" not in summary, f"{alert}: the summary is not static")
        check_links(alert, notes)
        check("{{" in notes.get("description", ""), f"{alert}: the description says no numbers or names")
        check(notes.get("runbook_url") == RUNBOOK_URL.format(alert.name), f"{alert}: another alert's runbook")
        check(alert.labels.get("severity") in {"critical", "warning", "info"}, f"{alert}: severity")
    queries, outputs = check_runbooks(alerts, known)
    listed = [{"record": f"runbook:query:n{n}", "expr": query} for n, query in enumerate(queries)]
    arguments.promql.write_text(json.dumps({"groups": [{"name": "runbooks", "rules": listed}]}))

    if problems:
        raise SystemExit("coverage.py:\n  " + "\n  ".join(problems))
    print(
        f"coverage.py: {len(alerts)} alerts and {len(records)} records, 0 without a unit test, 0 alerts without a runbook: "
        f"{len({a.name for a in alerts})} runbooks with {len(queries)} queries and {len(outputs)} commands; "
        f"{len(used)} metrics known"
    )


main()
