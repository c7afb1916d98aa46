"""Whether every rule and every panel has something to show on the data of the incidents."""

import re

import live
import model

# Records and alerts that these incidents cannot fill, and why.
SILENT = {
    "AbnormalCloseBurn 1d": "needs more than an hour of it",
    "AbnormalCloseBurn 3d": "needs three hours of it",
    "Client1006AboveUsual": "compares with the day before",
    "Flapping": "compares with the day before",
}
EMPTY = {}


def rules(folder):
    """[(kind, name, labels)] of every rule in the files of a folder."""
    out = []
    for path in sorted(folder.glob("closewatch.*.yml")):
        for part in re.split(r"(?=^ {6}- (?:record|alert): )", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            kind, name = re.match(r" {6}- (record|alert): (\S+)", part).groups()
            labels = re.search(r"^ {8}labels:\n((?: {10}.*\n)*)", part, re.M)
            out.append((kind, name, dict(re.findall(r"(\w+): (\S+)", labels[1])) if labels else {}))
    assert len(out) > 80, "only %d rules" % len(out)
    return out


def records_without_data(prometheus, end, span):
    """Their names with labels, and how many records there are."""
    records = [(name, labels) for kind, name, labels in rules(model.ROOT / "deploy/prometheus") if kind == "record"]
    empty = []
    for name, labels in records:
        selector = "%s{%s}" % (name, ", ".join('%s="%s"' % each for each in labels.items()))
        if not prometheus.instant("count_over_time(%s[%ds])" % (selector, span), end):
            empty.append(selector)
    return empty, len(records)


def panels(prometheus, end, span, rate):
    """What has no data, and how many queries there are."""
    checks = live.Checks(prometheus, end, span, rate, 5, EMPTY)
    for file, dashboard in model.dashboards().items():
        checks.dashboard(file, dashboard)
    return checks.failures, checks.asked
