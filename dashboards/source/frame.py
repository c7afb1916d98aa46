"""The parts of a dashboard around its panels: variables, annotations, links, positions."""

import zlib

from .panels import PROMETHEUS
from .queries import sel

SCHEMA_VERSION = 42


def variable(name, label, query):
    return {
        "allValue": ".+",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": PROMETHEUS,
        "hide": 0,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "options": [],
        "query": query,
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
        "type": "query",
    }


def source(name, label, kind):
    return {
        "hide": 0,
        "includeAll": False,
        "label": label,
        "multi": False,
        "name": name,
        "options": [],
        "query": kind,
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    }


JOB = variable("job", "Job", "label_values(closewatch_build_info, job)")
INSTANCE = variable("instance", "Instance", 'label_values(closewatch_build_info{job=~"$job"}, instance)')
ROUTE = variable(
    "route", "Route", 'label_values(closewatch_sessions_opened_total{job=~"$job", instance=~"$instance"}, route)'
)
CLASS = variable("class", "Class", 'label_values(closewatch_closes_total{job=~"$job", instance=~"$instance"}, class)')


# The ends are shown by one of these, in one panel.
BY = {
    "allowCustomValue": False,
    "current": {"selected": True, "text": "class", "value": "class"},
    "hide": 0,
    "includeAll": False,
    "label": "Ends by",
    "multi": False,
    "name": "by",
    "options": [
        {"selected": name == "class", "text": text, "value": name}
        for name, text in (("class", "class"), ("code", "code"), ("cause", "cause"), ("initiator", "who began"))
    ],
    "query": "class : class, code : code, cause : cause, who began : initiator",
    "skipUrlSync": False,
    "type": "custom",
}


def annotations():
    built_in = {
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }
    query = lambda expr: {"expr": expr, "interval": "15s", "refId": "Anno"}
    drains = {
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": "light-purple",
        "name": "Drains",
        "target": query(sel("closewatch_draining", route=False) + " == 1"),
        "textFormat": "{{instance}}",
        "titleFormat": "drain",
    }
    # The mark is at the time that is the value, so there is one mark for each start, however often it was scraped.
    starts = {
        "datasource": PROMETHEUS,
        "enable": True,
        "iconColor": "purple",
        "name": "Starts",
        "target": query(
            "1000 * (%s and on (job, instance) %s)"
            % (sel("process_start_time_seconds", route=False), sel("closewatch_build_info", route=False))
        ),
        "textFormat": "{{instance}}",
        "titleFormat": "start",
        "useValueForTime": "on",
    }
    return {"list": [built_in, drains, starts]}


def dashboard(uid, title, description, variables, rows, span="now-3h", links=()):
    """Makes a dashboard. `rows`: (title or None, height, [(panel, width) …], collapsed) …; ids and positions are assigned here."""
    # Alerts link panels by their id, so it is made of the title, and survives what comes and goes around it.
    number = lambda title: 1000 + zlib.crc32(title.encode()) % 99_000
    panels, y = [], 0
    for name, height, row, *collapsed in rows:
        holder = panels
        if name:
            head = {
                "collapsed": bool(collapsed),
                "gridPos": {"h": 1, "w": 24, "x": 0, "y": y},
                "id": number("row " + name),
                "panels": [],
                "title": name,
                "type": "row",
            }
            panels.append(head)
            holder = head["panels"] if collapsed else panels
            y += 1
        x = 0
        for item, width in row:
            if x + width > 24:
                x, y = 0, y + height
            holder.append({"id": number(item["title"]), "gridPos": {"h": height, "w": width, "x": x, "y": y}, **item})
            x += width
        y += 0 if collapsed else height
    others = {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": ["closewatch"],
        "targetBlank": False,
        "title": "closewatch",
        "tooltip": "",
        "type": "dashboards",
        "url": "",
    }
    return {
        "annotations": annotations(),
        "description": description,
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": [others, *links],
        "panels": panels,
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["closewatch"],
        "templating": {"list": variables},
        "time": {"from": span, "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": title,
        "uid": uid,
        "version": 1,
        "weekStart": "",
    }
