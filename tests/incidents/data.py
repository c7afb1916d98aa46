"""Checks that every recording rule and every panel has data during the incidents."""

import re

import live
import model

# Alerts that fire in no incident, and records and panels without data, with the reason.
SILENT = {
    "AbnormalCloseBurn 3d": "takes three hours",
    "Client1006AboveUsual": "compares with the day before",
    "Flapping": "compares with the day before",
    "ConfigReloadFailed": "no incident gives closewatch another configuration",
    "CertificateExpires": "no incident has TLS",
    "InternalErrors": "closewatch does not fail by itself",
}
EMPTY_RECORDS = {"route:closewatch_internal_errors:increase15m": "closewatch does not fail by itself"}
EMPTY_PANELS = {}


def rules(folder):
    """Lists every rule in the files of a folder as (kind, name, labels)."""
    out = []
    for path in sorted(folder.glob("closewatch.*.yml")):
        for part in re.split(r"(?=^ {6}- (?:record|alert): )", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            kind, name = re.match(r" {6}- (record|alert): (\S+)", part).groups()
            labels = re.search(r"^ {8}labels:\n((?: {10}.*\n)*)", part, re.M)
            out.append((kind, name, dict(re.findall(r"(\w+): (\S+)", labels[1])) if labels else {}))
    assert len(out) > 80, "only %d rules" % len(out)
    return out


def records_without_data(prometheus, end, span):
    """The records that have no data although they should, with labels; and the number of all records."""
    records = [(name, labels) for kind, name, labels in rules(model.ROOT / "deploy/prometheus") if kind == "record"]
    empty = []
    for name, labels in records:
        selector = "%s{%s}" % (name, ", ".join('%s="%s"' % each for each in labels.items()))
        found = prometheus.instant("count_over_time(%s[%ds])" % (selector, span), end)
        if bool(found) == (name in EMPTY_RECORDS):
            empty.append(selector + (" (which was not expected to have)" if found else ""))
    return empty, len(records)


def panels(prometheus, end, span, rate):
    """The queries of panels that have no data although they should; and the number of all queries."""
    # Some panels compare with the range before.
    checks = live.Checks(prometheus, end, span // 2, span, rate, 5, EMPTY_PANELS)
    for file, dashboard in model.dashboards().items():
        checks.dashboard(file, dashboard)
    return checks.failures, checks.asked
