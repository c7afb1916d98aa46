"""Watches Alertmanager while the incidents run, and compares the alerts with those expected."""

import asyncio
import json
import sys

from compress import FACTOR
from stage import fetch

PREFIX = "Closewatch"


def key(labels):
    """The name of an alert in the incidents: without the prefix, with the label that tells its variants apart."""
    variant = labels.get("long") or labels.get("limit")
    return labels["alertname"].removeprefix(PREFIX) + (" " + variant if variant else "")


def known(alert, alerts):
    """The name of an alert in the rules. Some labels come from the series, and are not in the rules."""
    return alert if alert in alerts else alert.split(" ")[0]


class Watch:
    """Maps (job, alert, severity) to the second of the run at which Alertmanager first had it."""

    def __init__(self, url):
        self.url, self.first = url + "/api/v2/alerts", {}

    async def look(self, clock):
        while True:
            for alert in json.loads(await asyncio.to_thread(fetch, self.url)):
                labels = alert["labels"]
                self.first.setdefault((labels.get("job"), key(labels), labels["severity"]), clock())
            await asyncio.sleep(0.4)

    def of(self, incident):
        """[(minutes of life since the incident began, alert, severity)], in order of time."""
        found = [
            (max(0, second - incident.began) * FACTOR / 60, alert, severity)
            for (job, alert, severity), second in self.first.items()
            if job == incident.name
        ]
        return sorted(found)


class Verdict:
    """Compares each incident with its expectations; counts and prints what is wrong."""

    def __init__(self, incidents, watch, end):
        self.incidents, self.watch = incidents, watch
        self.false_pages, self.failures, self.rows = 0, 0, []
        for incident in incidents:
            self.one(incident, end)
        unknown = {job for job, *_ in watch.first} - {incident.name for incident in incidents}
        for job in unknown:
            self.fail("%s: an alert of no incident" % job)

    def fail(self, what):
        self.failures += 1
        print("incidents: " + what, file=sys.stderr)

    def one(self, incident, end):
        fired = self.watch.of(incident)
        for minutes, alert, severity in fired:
            limit = incident.expected.get(alert)
            if limit is None:
                self.fail("%s: %s (%s) fired after %.1f min" % (incident.name, alert, severity, minutes))
                self.false_pages += severity == "critical"
            elif minutes > limit and not any(each[1] == alert and each[0] <= limit for each in fired):
                self.fail("%s: %s fired after %.1f min, not %g" % (incident.name, alert, minutes, limit))
        watched = (end - incident.began) * FACTOR / 60
        for alert, limit in incident.expected.items():
            if limit <= watched and alert not in {each[1] for each in fired}:
                self.fail("%s: %s stayed silent for %.1f min" % (incident.name, alert, watched))
        self.rows.append((incident, watched, fired))

    def table(self, alerts):
        """The table: each incident, the alerts that fired and when in minutes of life, and how long all others were silent."""
        lines = ["| incident | fired, after minutes | silent |", "|---|---|---|"]
        for incident, watched, fired in self.rows:
            said = [
                ("**%s %.1f**" if severity == "critical" else "%s %.1f") % (alert, minutes)
                for minutes, alert, severity in fired
            ]
            silent = alerts - {known(alert, alerts) for _, alert, _ in fired}
            lines.append(
                "| %s | %s | %s %d, for %.0f min |"
                % (incident.title, " · ".join(said) or "–", "other" if said else "all", len(silent), watched)
            )
        return "\n".join(lines)
