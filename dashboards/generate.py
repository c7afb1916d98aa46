#!/usr/bin/env python3
"""Writes the Grafana dashboards beside this file. `--check` writes nothing, and fails if a file differs.

The JSON is what Grafana imports and provisions; change this file, run it, commit both.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCHEMA_VERSION = 42

PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
LOKI = {"type": "loki", "uid": "${loki_datasource}"}

CLASS_COLOURS = {
    "clean": "green", "planned": "blue", "application": "purple", "policy": "yellow", "protocol": "orange",
    "overload": "dark-orange", "abnormal": "red", "unknown": "text",
}
INITIATOR_COLOURS = {"client": "blue", "upstream": "orange", "proxy": "purple", "both": "green", "unknown": "text"}

CAUSE_COLOURS = {
    "close_handshake": "green", "close_unanswered": "yellow", "client_unresponsive": "light-blue", "client_eof": "blue",
    "client_reset": "dark-blue", "client_timeout": "super-light-blue", "upstream_unresponsive": "light-orange",
    "upstream_eof": "orange", "upstream_reset": "red", "upstream_timeout": "dark-red", "drain": "purple",
    "idle_timeout": "light-purple", "proxy_error": "super-light-red", "unknown": "text",
}
CODE_COLOURS = {
    "1000": "green", "1001": "light-green", "1005": "dark-green", "1006": "red", "1011": "dark-red", "1014": "light-red",
    "1012": "blue", "1013": "dark-orange", "1002": "orange", "1003": "orange", "1007": "light-orange", "1010": "light-orange",
    "invalid": "super-light-orange", "1008": "yellow", "1009": "light-yellow", "3xxx": "light-purple", "4xxx": "purple",
    "unknown": "text",
}

# What the alerts count too: abnormal, not begun by the client, and not the server's verdict on a client that died.
LOST = 'class="abnormal", initiator!="client", cause!="client_unresponsive"'

# === PromQL ===


def sel(metric, extra="", route=True):
    matchers = ['job=~"$job"', 'instance=~"$instance"'] + (['route=~"$route"'] if route else [])
    return "%s{%s}" % (metric, ", ".join(matchers + ([extra] if extra else [])))


def total(expr, by=""):
    return "sum by (%s) (%s)" % (by, expr) if by else "sum(%s)" % expr


def rate(metric, extra="", by="", route=True):
    return total("rate(%s[$__rate_interval])" % sel(metric, extra, route), by)


def per_minute(metric, extra="", by="", route=True):
    return "60 * " + rate(metric, extra, by, route)


def in_range(metric, extra="", by="", route=True, before=False):
    offset = " offset $__range" if before else ""
    return total("increase(%s[$__range]%s)" % (sel(metric, extra, route), offset), by)


def now(metric, extra="", by="", route=True):
    return total(sel(metric, extra, route), by)


def quantile(q, metric, extra="", by="", route=True):
    by = "le, " + by if by else "le"
    return "histogram_quantile(%s, %s)" % (q, rate(metric + "_bucket", extra, by, route))


def alive(by="", window="$__rate_interval", route=True):
    """Every session that was up at any moment of the window: those that ended in it, and those that are up at its end."""
    ended = total("increase(%s[%s])" % (sel("closewatch_closes_total", "", route), window), by)
    return "(%s + %s > 0)" % (now("closewatch_sessions_active", by=by, route=route), ended)


# === Panels ===


def target(expr, legend="", ref="A", instant=False, fmt="time_series"):
    return {
        "datasource": PROMETHEUS, "editorMode": "code", "expr": expr, "format": fmt, "instant": instant,
        "legendFormat": legend or "__auto", "range": not instant, "refId": ref,
    }


def targets(*pairs, **options):
    """(expression, legend) pairs, as targets A, B, C …"""
    return [target(expr, legend, chr(ord("A") + i), **options) for i, (expr, legend) in enumerate(pairs)]


def steps(*pairs, base="green"):
    """Thresholds: steps(0.01, "yellow", 0.05, "red")."""
    out = [{"color": base, "value": None}]
    out += [{"color": colour, "value": value} for value, colour in zip(pairs[::2], pairs[1::2])]
    return {"mode": "absolute", "steps": out}


def override(name, **properties):
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }


def colours(table):
    return [override(name, color={"mode": "fixed", "fixedColor": colour}) for name, colour in table.items()]


def panel(kind, title, description, queries, unit, options, custom=None, thresholds=None, overrides=(), **defaults):
    links = defaults.pop("links", None)
    transformations = defaults.pop("transformations", None)
    field = {"color": {"mode": "palette-classic"}, "mappings": [], "thresholds": thresholds or steps(), "unit": unit}
    field.update(defaults)
    if custom is not None:
        field["custom"] = custom
    if links:
        field["links"] = links
    out = {
        "datasource": PROMETHEUS, "description": description, "fieldConfig": {"defaults": field, "overrides": list(overrides)},
        "options": options, "targets": queries, "title": title, "type": kind,
    }
    if transformations:
        out["transformations"] = transformations
    return out


def stat(title, description, expr, unit, thresholds=None, **defaults):
    defaults.setdefault("color", {"mode": "thresholds"})
    options = {
        "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
        "percentChangeColorMode": "standard", "showPercentChange": False, "textMode": "value", "wideLayout": True,
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return panel("stat", title, description, [target(expr, instant=True)], unit, options,
                 thresholds=thresholds, **defaults)


def series(title, description, queries, unit, stacked=False, bars=False, log=False, **more):
    custom = {
        "axisBorderShow": False, "axisCenteredZero": False, "axisColorMode": "text", "axisLabel": "", "axisPlacement": "auto",
        "barAlignment": 0, "barWidthFactor": 0.8, "drawStyle": "bars" if bars else "line",
        "fillOpacity": 80 if bars else 30 if stacked else 8,
        "gradientMode": "none", "hideFrom": {"legend": False, "tooltip": False, "viz": False}, "insertNulls": False,
        "lineInterpolation": "linear", "lineWidth": 0 if bars else 1, "pointSize": 4, "scaleDistribution": {"type": "linear"},
        "showPoints": "never", "spanNulls": False, "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "off"},
    }
    if log:
        custom["scaleDistribution"] = {"type": "log", "log": 10}
    elif unit in ("cpm", "short", "ops", "reqps"):
        # A flat line of zeros is drawn at the bottom of 0 to 1, not of 0 to 100.
        custom["axisSoftMax"] = 1
    custom.update(more.pop("custom", {}))
    options = {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"hideZeros": True, "mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, description, queries, unit, options, custom, **more)


def table(title, description, queries, unit, columns, sort, hidden=(), overrides=(), **more):
    """`columns`: name in the data → (name on screen, override properties), in their order."""
    rename = {name: shown for name, (shown, _) in columns.items()}
    order = {name: i for i, name in enumerate(columns)}
    exclude = {name: True for name in ("Time", *hidden)}
    # A text that looks like a number ("1006") would get the unit of numbers.
    shown = [override(label, **({} if name.startswith("Value") else {"unit": "string"}), **properties)
             for name, (label, properties) in columns.items()]
    shown = [one for one in shown if one["properties"]]
    transformations = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": exclude, "includeByName": {}, "indexByName": order, "renameByName": rename}},
    ]
    options = {"cellHeight": "sm", "frameIndex": 0, "showHeader": True, "sortBy": [{"desc": True, "displayName": sort}]}
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}
    return panel("table", title, description, queries, unit, options, custom, overrides=[*shown, *overrides],
                 transformations=transformations, color={"mode": "thresholds"}, **more)


def bars(title, description, queries, unit, **more):
    options = {
        "displayMode": "basic", "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "maxVizHeight": 300, "minVizHeight": 16, "minVizWidth": 8, "namePlacement": "left", "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "showUnfilled": True, "sizing": "auto",
        "valueMode": "color",
    }
    more.setdefault("color", {"mode": "thresholds"})
    return panel("bargauge", title, description, queries, unit, options, min=0, **more)


def heatmap(title, description, expr, edges):
    options = {
        "calculate": False, "cellGap": 1, "cellValues": {"unit": "cpm"},
        "color": {"exponent": 0.5, "fill": "dark-orange", "mode": "scheme", "reverse": False, "scale": "exponential",
                  "scheme": "Oranges", "steps": 64},
        "exemplars": {"color": "rgba(255,0,255,0.7)"}, "filterValues": {"le": 1e-09}, "legend": {"show": True},
        "rowsFrame": {"layout": "auto"}, "showValue": "never", "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": edges},
    }
    custom = {"hideFrom": {"legend": False, "tooltip": False, "viz": False}, "scaleDistribution": {"type": "linear"}}
    return panel("heatmap", title, description, [target(expr, "{{le}}", fmt="heatmap")], "cpm", options, custom)


# === Links ===


def link_to(uid, title, **variables):
    """A data link to another dashboard, time range and variables kept."""
    kept = [name for name in ("datasource", "job", "instance", "route") if name not in variables]
    query = ["${__url_time_range}"] + ["${%s:queryparam}" % name for name in kept]
    query += ["var-%s=%s" % item for item in variables.items()]
    return {"title": title, "url": "/d/%s?%s" % (uid, "&".join(query))}


def explore(source, kind, query):
    """The address of Explore with one query. `${…}` stays as it is, the rest is percent-encoded."""
    pane = {"datasource": source, "queries": [dict(query, refId="A", datasource={"type": kind, "uid": source})],
            "range": {"from": "${__from}", "to": "${__to}"}}
    encode = {'"': "%22", "{": "%7B", "}": "%7D", " ": "%20", "|": "%7C", "=": "%3D", "+": "%2B", "\\": "%5C", "&": "%26"}
    out, text = "", json.dumps({"a": pane}, separators=(",", ":"))
    at = 0
    while at < len(text):
        if text.startswith("${", at):
            end = text.index("}", at) + 1
            out, at = out + text[at:end], end
        else:
            out, at = out + encode.get(text[at], text[at]), at + 1
    return "/explore?schemaVersion=1&orgId=1&panes=" + out


def close_log(where=""):
    return '{app="closewatch"} | json | event="websocket.closed"' + where


ROUTES = ' | route=~"${route:pipe}"'

# === Dashboards ===


def variable(name, label, query):
    return {
        "allValue": ".+", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "datasource": PROMETHEUS,
        "hide": 0, "includeAll": True, "label": label, "multi": True, "name": name, "options": [], "query": query, "refresh": 2,
        "regex": "", "skipUrlSync": False, "sort": 1, "type": "query",
    }


def source(name, label, kind):
    return {"hide": 0, "includeAll": False, "label": label, "multi": False, "name": name, "options": [],
            "query": kind, "refresh": 1, "regex": "", "skipUrlSync": False, "type": "datasource"}


JOB = variable("job", "Job", "label_values(closewatch_build_info, job)")
INSTANCE = variable("instance", "Instance", 'label_values(closewatch_build_info{job=~"$job"}, instance)')
ROUTE = variable("route", "Route",
                 'label_values(closewatch_sessions_opened_total{job=~"$job", instance=~"$instance"}, route)')
CLASS = variable("class", "Class", 'label_values(closewatch_closes_total{job=~"$job", instance=~"$instance"}, class)')


def annotations():
    built_in = {"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
                "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard"}
    query = lambda expr: {"expr": expr, "interval": "15s", "refId": "Anno"}
    drains = {"datasource": PROMETHEUS, "enable": True, "iconColor": "blue", "name": "Drains",
              "target": query(sel("closewatch_draining", route=False) + " == 1"),
              "textFormat": "{{instance}}", "titleFormat": "drain"}
    # At the time that the value says: one mark a start, however often it was scraped.
    starts = {"datasource": PROMETHEUS, "enable": True, "iconColor": "purple", "name": "Starts",
              "target": query("1000 * (%s and on (job, instance) %s)" % (
                  sel("process_start_time_seconds", route=False), sel("closewatch_build_info", route=False))),
              "textFormat": "{{instance}}", "titleFormat": "start", "useValueForTime": "on"}
    return {"list": [built_in, drains, starts]}


def dashboard(uid, title, description, variables, rows, span="now-3h", links=()):
    """`rows`: (title or None, height, [(panel, width) …], collapsed) …, ids and positions are given here."""
    panels, ids, y = [], 0, 0
    for name, height, row, *collapsed in rows:
        holder = panels
        if name:
            ids += 1
            head = {"collapsed": bool(collapsed), "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}, "id": ids, "panels": [],
                    "title": name, "type": "row"}
            panels.append(head)
            holder = head["panels"] if collapsed else panels
            y += 1
        x = 0
        for item, width in row:
            if x + width > 24:
                x, y = 0, y + height
            ids += 1
            holder.append({"id": ids, "gridPos": {"h": height, "w": width, "x": x, "y": y}, **item})
            x += width
        y += 0 if collapsed else height
    others = {"asDropdown": False, "icon": "external link", "includeVars": True, "keepTime": True, "tags": ["closewatch"],
              "targetBlank": False, "title": "closewatch", "tooltip": "", "type": "dashboards", "url": ""}
    return {
        "annotations": annotations(), "description": description, "editable": False, "fiscalYearStartMonth": 0,
        "graphTooltip": 1, "links": [others, *links], "panels": panels, "refresh": "30s", "schemaVersion": SCHEMA_VERSION,
        "tags": ["closewatch"], "templating": {"list": variables}, "time": {"from": span, "to": "now"},
        "timepicker": {}, "timezone": "browser", "title": title, "uid": uid, "version": 1, "weekStart": "",
    }


SHARE = steps(0.01, "yellow", 0.05, "red")
QUIET = steps(base="text")
ALARM = steps(1, "red")
EXPLAIN = "closewatch-explain"


def ends_by_class():
    return series(
        "Ends by class",
        "Sessions that ended, per minute. Red is abnormal: 1006, 1011, 1014. Blue was planned (restarts, drains, idle limits); "
        "green is what users do all day.",
        targets((per_minute("closewatch_closes_total", by="class") + " > 0", "{{class}}")), "cpm", stacked=True, bars=True,
        overrides=colours(CLASS_COLOURS), links=[link_to(EXPLAIN, "Explain")])


def failed_handshakes():
    return series(
        "Handshakes that failed",
        "Upgrades that never became a session, per minute, by outcome and the status the client was given. A browser reports "
        "each of them as 1006 too: if this rises and the ends do not, look at the upstream's answers, not at closures.",
        targets((per_minute("closewatch_handshakes_total", 'outcome!="upgraded"', "outcome, status") + " > 0",
                 "{{outcome}} {{status}}")), "cpm", stacked=True, bars=True, color={"mode": "shades", "fixedColor": "orange"})


def lifetimes():
    return series(
        "Lifetime of ended sessions",
        "How long sessions had been up when they ended. Only ended ones are counted, so long-lived ones are seen late. A median "
        "of seconds is flapping: clients reconnect as fast as they are thrown out.",
        targets(*((quantile(q, "closewatch_session_duration_seconds"), name)
                  for q, name in ((0.5, "median"), (0.9, "90 %"), (0.99, "99 %")))), "s", log=True)


def overview():
    rows = [
        (None, 4, [
            (stat("Sessions up", "WebSocket sessions that are open now.", now("closewatch_sessions_active"), "short",
                  QUIET), 4),
            (stat("Opened", "Sessions opened in the chosen time range.", in_range("closewatch_sessions_opened_total"), "locale",
                  QUIET, decimals=0), 4),
            (stat("Ended", "Sessions that ended in the chosen time range, however they ended.",
                  in_range("closewatch_closes_total"), "locale", QUIET, decimals=0), 4),
            (stat("Lost", "Share of all ends that were abnormal, not begun by the client, and not a client that had died: "
                  "what the alerts count. 1 % deserves a look, 5 % is an incident.",
                  "%s / (%s > 0)" % (in_range("closewatch_closes_total", LOST), in_range("closewatch_closes_total")),
                  "percentunit", SHARE, noValue="nothing ended", decimals=2), 4),
            (stat("Failed handshakes", "Share of upgrade requests that did not become a session.",
                  "%s / (%s > 0)" % (in_range("closewatch_handshakes_total", 'outcome!="upgraded"'),
                                     in_range("closewatch_handshakes_total")),
                  "percentunit", SHARE, noValue="none asked", decimals=2), 4),
            (stat("Median lifetime", "Half of the sessions that ended in the chosen time range had been up for less than this.",
                  "histogram_quantile(0.5, %s)" % in_range("closewatch_session_duration_seconds_bucket", by="le"),
                  "s", QUIET, noValue="nothing ended"), 4),
        ]),
        ("What ends, how, and by whom", 8, [
            (ends_by_class(), 12),
            (series("Abnormal share of ends, by who began it",
                    "Abnormal ends as a share of all ends. By the client: phones asleep, lost networks; slow drift is life. By "
                    "the upstream: crashes, kills, idle limits on its side: this is the line that pages.",
                    targets(("%s / ignoring (initiator) group_left () (%s > 0)" % (
                        rate("closewatch_closes_total", 'class="abnormal"', "initiator"), rate("closewatch_closes_total")),
                        "{{initiator}}")), "percentunit", overrides=colours(INITIATOR_COLOURS), min=0), 12),
            (series("Ends by code",
                    "Close codes, per minute. 1005 and 1006 were never on the wire: 1005 is a Close without a code, 1006 is no "
                    "Close at all.",
                    targets((per_minute("closewatch_closes_total", by="code") + " > 0", "{{code}}")), "cpm", stacked=True,
                    bars=True, overrides=colours(CODE_COLOURS)), 8),
            (series("Ends by cause",
                    "What ended the session: a Close that was answered or not, a FIN (eof), an RST (reset), silence (timeout) of "
                    "one side, or closewatch itself (drain, idle_timeout).",
                    targets((per_minute("closewatch_closes_total", by="cause") + " > 0", "{{cause}}")), "cpm", stacked=True,
                    bars=True, overrides=colours(CAUSE_COLOURS)), 8),
            (series("Ends by who began them",
                    "The side whose Close, FIN, RST or silence came first.",
                    targets((per_minute("closewatch_closes_total", by="initiator") + " > 0", "{{initiator}}")), "cpm",
                    stacked=True, bars=True, overrides=colours(INITIATOR_COLOURS)), 8),
        ]),
        ("Sessions", 8, [
            (series("Sessions up, by route", "Open sessions. A step down is a mass disconnect, whatever the code was.",
                    targets((now("closewatch_sessions_active", by="route"), "{{route}}")), "short", stacked=True, min=0), 8),
            (series("Opened and ended", "Per minute. Opened far above its usual level, with short lifetimes, is a reconnect storm.",
                    targets((per_minute("closewatch_sessions_opened_total"), "opened"), (per_minute("closewatch_closes_total"), "ended")),
                    "cpm", min=0), 8),
            (lifetimes(), 8),
            (failed_handshakes(), 8),
            (series("Time to open", "From the upgrade request to its answer, dial of the upstream included.",
                    targets(*((quantile(q, "closewatch_handshake_duration_seconds"), name)
                              for q, name in ((0.5, "median"), (0.99, "99 %")))), "s", min=0), 8),
            (series("Ping round trip", "From a ping to its pong, both only watched, by the side that answered. Empty where nobody "
                    "sends pings.",
                    targets(*((quantile(q, "closewatch_ping_rtt_seconds", by="peer"), "{{peer}} " + name)
                              for q, name in ((0.5, "median"), (0.99, "99 %")))), "s", min=0), 8),
        ]),
        ("Traffic", 7, [
            (series("Messages", "WebSocket messages, counted at their last frame.",
                    targets((rate("closewatch_messages_total", by="direction, kind") + " > 0", "{{direction}} {{kind}}")), "ops", min=0), 8),
            (series("Bytes", "Behind the handshake, frame headers included.",
                    targets((rate("closewatch_frame_bytes_total", by="direction"), "{{direction}}")), "Bps", min=0), 8),
            (series("Plain HTTP", "Requests that passed through without an upgrade, by the class of their status.",
                    targets((rate("closewatch_http_requests_total", by="status_class"), "{{status_class}}")), "reqps", min=0), 8),
        ]),
    ]
    return dashboard("closewatch-overview", "closewatch / Overview",
                     "How WebSocket sessions end: what, how, and by whom; clean against abnormal.",
                     [source("datasource", "Data source", "prometheus"), JOB, INSTANCE, ROUTE], rows)


# (limit in seconds, edge below, edge above, who has it). Prometheus 3 writes whole edges with ".0".
IDLE_LIMITS = [
    ("15 s", "14.5", "16([.]0)?", ""), ("30 s", "29.5", "31([.]0)?", ""), ("60 s", "59.5", "62([.]0)?", "nginx, AWS ALB"),
    ("100 s", "99.5", "102([.]0)?", "Cloudflare"), ("120 s", "119.5", "122([.]0)?", ""), ("300 s", "299.5", "303([.]0)?", ""),
    ("350 s", "349.5", "353([.]0)?", "AWS NLB"), ("600 s", "599.5", "605([.]0)?", "API Gateway"),
    ("1 h", "3599([.]0)?", "3610([.]0)?", ""),
]


def explain():
    chosen = 'class=~"$class"'
    idle, duration = "closewatch_idle_before_close_seconds_bucket", "closewatch_session_duration_seconds_bucket"
    kinds = "route, code, class, initiator, cause"
    ended = in_range("closewatch_closes_total", chosen, kinds)
    ended_before = in_range("closewatch_closes_total", chosen, kinds, before=True)
    class_cells = {
        "custom__cellOptions": {"type": "color-text"},
        "mappings": [{"type": "value", "options": {name: {"color": colour, "index": i, "text": name}
                                                   for i, (name, colour) in enumerate(CLASS_COLOURS.items())}}],
    }
    row_log = explore("${loki_datasource}", "loki", {"editorMode": "code", "expr": close_log(
        ' | route="${__data.fields.route}" | cause="${__data.fields.cause}" | initiator="${__data.fields.initiator}"')})
    what = table(
        "What ended, against the range before",
        "Every kind of end in the chosen time range, how many there were in the range of the same length before it, and the "
        "difference. Sorted by the difference: the first rows are the spike. Click a row for its lines in the close log.",
        [target(ended + " > 0", ref="A", instant=True, fmt="table"), target(ended_before + " > 0", ref="B", instant=True, fmt="table"),
         target("%s - (%s or 0 * %s) != 0" % (ended, ended_before, ended), ref="C", instant=True, fmt="table")],
        "locale",
        {"route": ("route", {}), "code": ("code", {}), "class": ("class", class_cells), "initiator": ("initiator", {}),
         "cause": ("cause", {}),
         "Value #C": ("more than before", {"decimals": 0, "custom__cellOptions": {"type": "color-text"},
                                           "thresholds": steps(1, "orange", base="text")}),
         "Value #A": ("in this range", {"decimals": 0, "custom__cellOptions": {"mode": "basic", "type": "gauge"},
                                        "color": {"mode": "fixed", "fixedColor": "semi-dark-orange"}, "min": 0}),
         "Value #B": ("in the range before", {"decimals": 0})},
        "more than before", links=[{"title": "Close log", "url": row_log}])
    routes = table(
        "Route by route",
        "Each route in the chosen time range. Lost: abnormal, not begun by the client, and not a client that had died. Saw "
        "differently: the two sides were told different codes.",
        [target(expr, ref=chr(ord("A") + i), instant=True, fmt="table") for i, expr in enumerate([
            now("closewatch_sessions_active", by="route"), in_range("closewatch_sessions_opened_total", by="route"),
            in_range("closewatch_closes_total", by="route"), in_range("closewatch_closes_total", LOST, "route"),
            "%s / (%s > 0)" % (in_range("closewatch_closes_total", LOST, "route"), in_range("closewatch_closes_total", by="route")),
            in_range("closewatch_saw_mismatch_total", by="route"),
            in_range("closewatch_handshakes_total", 'outcome!="upgraded"', "route"),
            "histogram_quantile(0.5, %s)" % in_range("closewatch_session_duration_seconds_bucket", by="le, route"),
        ])],
        "locale",
        {"route": ("route", {}), "Value #A": ("up now", {"decimals": 0}), "Value #B": ("opened", {"decimals": 0}),
         "Value #C": ("ended", {"decimals": 0}), "Value #D": ("lost", {"decimals": 0}),
         "Value #E": ("lost share", {"unit": "percentunit", "decimals": 1, "thresholds": SHARE,
                                     "custom__cellOptions": {"type": "color-text"}}),
         "Value #F": ("saw differently", {"decimals": 0}), "Value #G": ("failed handshakes", {"decimals": 0}),
         "Value #H": ("median lifetime", {"unit": "s", "decimals": 1})},
        "lost", links=[link_to(EXPLAIN, "This route alone", route="${__data.fields.route}")])
    limits = []
    for i, (name, below, above, who) in enumerate(IDLE_LIMITS):
        edge = lambda le: in_range(idle, '%s, le%s"%s"' % (chosen, "=~" if "(" in le else "=", le))
        limits.append(target("%s - %s" % (edge(above), edge(below)), name + (" (%s)" % who if who else ""),
                             chr(ord("A") + i), instant=True))
    log_panel = {
        "datasource": LOKI, "description": "The newest abnormal ends, one JSON record each. Open a line for all fields; its trace_id leads to the trace.",
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {"dedupStrategy": "none", "enableInfiniteScrolling": False, "enableLogDetails": True, "prettifyLogMessage": False,
                    "showCommonLabels": False, "showLabels": False, "showLogContextToggle": False, "showTime": True,
                    "sortOrder": "Descending", "wrapLogMessage": True},
        "targets": [{"datasource": LOKI, "editorMode": "code", "expr": close_log(ROUTES + ' | class=~"${class:pipe}"'),
                     "maxLines": 200, "queryType": "range", "refId": "A"}],
        "title": "Close log", "type": "logs",
    }
    rows = [
        ("When: and was it a closure at all?", 8, [(ends_by_class(), 12), (failed_handshakes(), 12)]),
        ("What: the kinds of end that grew", 10, [(what, 24)]),
        ("After how long: silence and lifetime", 11, [
            (heatmap("Silence before the end",
                     "Seconds without a frame when the session ended, per minute. A bright line at one height is an idle limit of "
                     "some hop; a bright column at the bottom is a crash or a deploy in the middle of traffic.",
                     per_minute(idle, chosen, "le"), "none"), 8),
            (heatmap("Lifetime",
                     "How long sessions had been up when they ended, per minute. A line at one height is a maximum age; a column over "
                     "all heights is a mass disconnect; a band at the bottom is flapping.",
                     per_minute(duration, chosen, "le"), "s"), 8),
            (bars("Ended right at a usual idle limit",
                  "Ends whose silence falls between two edges around a limit in common use (60 s: between 59.5 and 62 s). One long bar "
                  "names the hop that cuts; choose class abnormal to see it alone. Answer: pings more often than that.",
                  limits, "locale", thresholds=steps(5, "orange", base="text"), decimals=0), 8),
        ]),
        ("Who: the two sides", 8, [
            (series("By cause", "What ended the sessions of the chosen classes, per minute.",
                    targets((per_minute("closewatch_closes_total", chosen, "cause") + " > 0", "{{cause}}")), "cpm", stacked=True,
                    bars=True, overrides=colours(CAUSE_COLOURS)), 6),
            (series("By who began it", "The side whose Close, FIN, RST or silence came first, in the chosen classes, per minute.",
                    targets((per_minute("closewatch_closes_total", chosen, "initiator") + " > 0", "{{initiator}}")), "cpm",
                    stacked=True, bars=True, overrides=colours(INITIATOR_COLOURS)), 6),
            (series("The two sides saw different codes",
                    "Ends after which the client's library and the upstream's report different codes, by who began the end, per minute. "
                    "Then the logs of neither side alone tell what happened: the close log has both.",
                    targets((per_minute("closewatch_saw_mismatch_total", by="initiator"), "{{initiator}}")), "cpm", stacked=True,
                    overrides=colours(INITIATOR_COLOURS), min=0), 6),
            (series("Time to answer a Close",
                    "From the first Close to the other side's, by who sent the first: 95 % took less. Seconds mean an event loop that is stuck, "
                    "or a server that waits for work in flight.",
                    targets((quantile(0.95, "closewatch_close_handshake_seconds", by="initiator"), "{{initiator}}")), "s", min=0,
                    overrides=colours(INITIATOR_COLOURS)), 6),
        ]),
        ("Route by route", 8, [(routes, 24)]),
        (None, 7, [
            (series("Lost sessions, by route", "Abnormal ends not begun by the client, per minute.",
                    targets((per_minute("closewatch_closes_total", LOST, "route"), "{{route}}")), "cpm", stacked=True, bars=True, min=0), 8),
            (series("Breaches of the protocol", "By the side that sent them and kind, per minute of ended sessions.",
                    targets((per_minute("closewatch_violations_total", by="direction, kind") + " > 0", "{{direction}} {{kind}}")), "cpm",
                    stacked=True, bars=True), 8),
            (series("Bytes read and never delivered", "What was on its way when the session ended, by direction. The receiver never saw it.",
                    targets((rate("closewatch_undelivered_bytes_total", by="direction"), "{{direction}}")), "Bps", stacked=True, bars=True, min=0), 8),
        ]),
        ("The close log (Loki)", 12, [(log_panel, 24)], True),
    ]
    logs = explore("${loki_datasource}", "loki", {"editorMode": "code", "expr": close_log(ROUTES)})
    traces = explore("${tempo_datasource}", "tempo", {"queryType": "traceql", "limit": 20,
                                                      "query": '{span.closewatch.class="abnormal"}'})
    links = [{"asDropdown": False, "icon": icon, "includeVars": False, "keepTime": False, "tags": [], "targetBlank": True,
              "title": title, "tooltip": tip, "type": "link", "url": url}
             for title, icon, tip, url in (("Close log", "doc", "Every end of the chosen routes, in Explore", logs),
                                           ("Traces", "bolt", "Sessions that ended abnormally, in Explore", traces))]
    variables = [source("datasource", "Data source", "prometheus"), source("loki_datasource", "Loki data source", "loki"),
                 source("tempo_datasource", "Tempo data source", "tempo"), JOB, INSTANCE, ROUTE, CLASS]
    return dashboard(EXPLAIN, "closewatch / Explain a spike",
                     "Take the time range of a spike: which kinds of end grew, after how much silence, begun by whom, on which route.",
                     variables, rows, span="now-1h", links=links)


def fleet():
    own = {"route": False}
    ended = in_range("closewatch_closes_total", by="instance")
    lost = in_range("closewatch_closes_total", LOST, "instance")
    instances = table(
        "Instance by instance",
        "Sorted by the share of sessions lost: of all sessions that were up at any moment of the chosen time range, those that ended "
        "abnormally, not begun by the client, and not a client that had died. One instance far above the others has a bad neighbour, "
        "node or zone.",
        [target(expr, ref=chr(ord("A") + i), instant=True, fmt="table") for i, expr in enumerate([
            "max by (instance, version) (%s)" % sel("closewatch_build_info", **own),
            "time() - max by (instance) (%s and on (job, instance) %s)" % (sel("process_start_time_seconds", **own), sel("closewatch_build_info", **own)),
            now("closewatch_sessions_active", by="instance"), in_range("closewatch_sessions_opened_total", by="instance"), ended, lost,
            "%s / %s" % (lost, alive("instance", "$__range")),
            "max by (instance) (%s)" % sel("closewatch_draining", **own),
        ])],
        "locale",
        {"instance": ("instance", {}), "version": ("version", {}), "Value #B": ("up for", {"unit": "dtdurations", "decimals": 0}),
         "Value #C": ("sessions up", {"decimals": 0}), "Value #D": ("opened", {"decimals": 0}),
         "Value #E": ("ended", {"decimals": 0}), "Value #F": ("lost", {"decimals": 0}),
         "Value #G": ("share lost", {"unit": "percentunit", "decimals": 2, "thresholds": SHARE, "custom__cellOptions": {"type": "color-text"}}),
         "Value #H": ("draining", {"unit": "bool_yes_no"})},
        "share lost", hidden=["Value #A"], links=[link_to(EXPLAIN, "Explain this instance", instance="${__data.fields.instance}")])
    per_instance = "%s / %s" % (total("increase(%s[$__rate_interval])" % sel("closewatch_closes_total", LOST), "instance"), alive("instance"))
    rows = [
        (None, 4, [
            (stat("Instances", "Instances of closewatch that answer the scrape now.",
                  "count(%s)" % sel("closewatch_build_info", **own), "short", QUIET), 4),
            (stat("Draining", "Instances that are draining now.", "sum(%s)" % sel("closewatch_draining", **own), "short",
                  steps(1, "blue", base="text")), 4),
            (stat("Started", "Instances that started in the chosen time range, by their start time.",
                  "count((time() - %s and on (job, instance) %s) < $__range_s) or vector(0)"
                  % (sel("process_start_time_seconds", **own), sel("closewatch_build_info", **own)), "short", QUIET), 4),
            (stat("Sessions up", "Open sessions of all chosen instances.", now("closewatch_sessions_active"), "short", QUIET), 4),
            (stat("Share of sessions lost", "Of all sessions that were up at any moment of the chosen time range: those that ended "
                  "abnormally, not begun by the client, and not a client that had died.",
                  "%s / %s" % (in_range("closewatch_closes_total", LOST), alive(window="$__range")), "percentunit", SHARE,
                  noValue="no sessions", decimals=2), 4),
            (stat("Share of sessions ended", "Of all sessions that were up at any moment of the chosen time range: those that ended, "
                  "however they ended.", "%s / %s" % (in_range("closewatch_closes_total"), alive(window="$__range")), "percentunit",
                  QUIET, noValue="no sessions", decimals=0), 4),
        ]),
        ("The instance that stands out", 9, [(instances, 24)]),
        (None, 8, [
            (series("Share of sessions lost: the worst five, and the fleet",
                    "Of the sessions that each instance had up, those it lost. The dashed line is the fleet's median instance: far above it "
                    "is an outlier, all together is the upstream or the network.",
                    targets(("topk(5, %s)" % per_instance, "{{instance}}"), ("quantile(0.5, %s)" % per_instance, "median instance")),
                    "percentunit", min=0, overrides=[override("median instance", color={"mode": "fixed", "fixedColor": "text"},
                                                              custom__lineStyle={"dash": [8, 6], "fill": "dash"}, custom__fillOpacity=0, custom__lineWidth=2)]), 12),
            (series("Share of sessions ended, whatever the code",
                    "Of the sessions that were up, those that ended, per instance. All of one instance at once is a restart; a part of "
                    "all instances at once is the upstream or a load balancer.",
                    targets(("%s / %s" % (total("increase(%s[$__rate_interval])" % sel("closewatch_closes_total"), "instance"), alive("instance")),
                             "{{instance}}")), "percentunit", min=0, max=1), 12),
        ]),
        ("Deploy waves", 8, [
            (series("Planned ends, by instance", "Ends by a restart of the upstream (1001, 1012) or a drain of closewatch, per minute. One "
                    "instance after another, with sessions moving on to the next, is a rolling deploy.",
                    targets((per_minute("closewatch_closes_total", 'class="planned"', "instance") + " > 0", "{{instance}}")), "cpm", stacked=True, bars=True), 8),
            (series("Sessions up, by instance", "Where the sessions are. After a wave they are uneven: the instance restarted last has the fewest.",
                    targets((now("closewatch_sessions_active", by="instance"), "{{instance}}")), "short", stacked=True, min=0), 8),
            (series("Opened, by instance", "Per minute: who takes the sessions that were sent away.",
                    targets((per_minute("closewatch_sessions_opened_total", by="instance"), "{{instance}}")), "cpm", stacked=True, min=0), 8),
            (series("Draining", "Instances that are draining.", targets(("sum by (instance) (%s)" % sel("closewatch_draining", **own), "{{instance}}")),
                    "short", stacked=True, min=0, decimals=0, custom={"lineInterpolation": "stepAfter"}), 8),
            (series("Instances, by version", "Which version runs where during a rollout.",
                    targets(("count by (version) (%s)" % sel("closewatch_build_info", **own), "{{version}}")), "short", stacked=True, min=0, decimals=0,
                    custom={"lineInterpolation": "stepAfter"}), 8),
            (series("Handshakes that failed, by instance", "Upgrades that never became a session, per minute.",
                    targets((per_minute("closewatch_handshakes_total", 'outcome!="upgraded"', "instance"), "{{instance}}")), "cpm", stacked=True, min=0), 8),
        ]),
    ]
    return dashboard("closewatch-fleet", "closewatch / Fleet",
                     "Many sidecars: which instance stands out, what a deploy did, what share of sessions was lost.",
                     [source("datasource", "Data source", "prometheus"), JOB, INSTANCE, ROUTE], rows)


def itself():
    own = {"route": False}
    on_closewatch = lambda metric: "%s and on (job, instance) %s" % (sel(metric, **own), sel("closewatch_build_info", **own))
    cpu = "sum by (instance) (rate(%s[$__rate_interval]) and on (job, instance) %s)" % (
        sel("process_cpu_seconds_total", **own), sel("closewatch_build_info", **own))
    rows = [
        (None, 4, [
            (stat("Records dropped", "Close records that did not reach an output in the chosen time range. Sessions are never held up for "
                  "one; metrics count every end all the same.",
                  in_range("closewatch_records_dropped_total", **own), "locale", ALARM, decimals=0), 4),
            (stat("Connections rejected", "Connections turned away before they made a request in the chosen time range: no descriptors, or "
                  "no memory.", in_range("closewatch_connections_rejected_total", **own), "locale", ALARM, decimals=0), 4),
            (stat("Blind sessions", "Ended sessions of which one direction could not be read as WebSocket frames: their code is unknown.",
                  in_range("closewatch_blind_sessions_total"), "locale", steps(1, "yellow"), decimals=0), 4),
            (stat("Descriptors used", "The instance nearest to its limit. Each session takes two.",
                  "max((%s) / %s)" % (on_closewatch("process_open_fds"), sel("process_max_fds", **own)),
                  "percentunit", steps(0.7, "yellow", 0.9, "red"), decimals=1), 4),
            (stat("Configuration", "Whether every chosen instance took the last configuration it was given. If not, the one before is in force.",
                  "min(%s)" % sel("closewatch_config_reload_success", **own), "none", steps(1, "green", base="red"),
                  mappings=[{"type": "value", "options": {"0": {"index": 0, "text": "refused"}, "1": {"index": 1, "text": "taken"}}}]), 4),
            (stat("Last configuration", "How long ago the newest configuration was taken.",
                  "time() - max(%s)" % sel("closewatch_config_last_reload_timestamp_seconds", **own), "dtdurations", QUIET, decimals=0), 4),
        ]),
        ("What it could not do", 8, [
            (series("Records dropped, by output", "Per minute. The output is too slow or fails: disk, pipe, collector.",
                    targets((per_minute("closewatch_records_dropped_total", by="instance, sink", **own), "{{instance}} {{sink}}")), "cpm", min=0), 8),
            (series("Connections rejected", "Per minute, by reason.",
                    targets((per_minute("closewatch_connections_rejected_total", by="reason", **own), "{{reason}}")), "cpm", min=0), 8),
            (series("Blind sessions", "Per minute, by the direction that could not be read.",
                    targets((per_minute("closewatch_blind_sessions_total", by="direction"), "{{direction}}")), "cpm", min=0), 8),
        ]),
        ("Back-pressure", 8, [
            (series("Sessions that wait for a peer", "Sessions whose one side does not take its bytes, so that the other is not read: slow "
                    "consumers, suspended tabs. They are never ended for it.",
                    targets((now("closewatch_sessions_stalled", by="instance", **own), "{{instance}}")), "short", min=0), 8),
            (series("Bytes held for slow peers", "In closewatch's own memory, at most one buffer a session.",
                    targets((now("closewatch_spilled_bytes", by="instance", **own), "{{instance}}")), "bytes", min=0), 8),
            (series("Bytes read and never delivered", "Because the session had ended, per second.",
                    targets((rate("closewatch_undelivered_bytes_total", by="direction"), "{{direction}}")), "Bps", min=0), 8),
        ]),
        ("What it costs", 8, [
            (series("CPU", "Cores in use. The counter moves in whole seconds: over short ranges it looks like steps.",
                    targets((cpu, "{{instance}}")), "short", min=0), 8),
            (series("Memory", "Resident.", targets(("sum by (instance) (%s)" % on_closewatch("process_resident_memory_bytes"), "{{instance}}")),
                    "bytes", min=0), 8),
            (series("Memory per session", "Resident memory over open sessions: meaningful from some hundred sessions on.",
                    targets(("sum by (instance) (%s) / (%s > 0)" % (on_closewatch("process_resident_memory_bytes"),
                             "sum by (instance) (%s)" % sel("closewatch_sessions_active", **own)), "{{instance}}")), "bytes", min=0), 8),
            (series("Descriptors", "Open, and the limit (dashed) of the instance with the lowest. At the limit connections are rejected.",
                    targets(("sum by (instance) (%s)" % on_closewatch("process_open_fds"), "{{instance}}"),
                            ("min(%s)" % on_closewatch("process_max_fds"), "limit")), "short", log=True,
                    overrides=[override("limit", color={"mode": "fixed", "fixedColor": "red"}, custom__fillOpacity=0,
                                        custom__lineStyle={"dash": [8, 6], "fill": "dash"})]), 8),
            (series("Threads", "Workers, the log writer, and the main thread.",
                    targets(("sum by (instance) (%s)" % on_closewatch("process_threads"), "{{instance}}")), "short", min=0, decimals=0), 8),
            (series("Series per scrape", "What an instance exports. It grows with routes and codes, never with peers.",
                    targets(("sum by (instance) (%s)" % on_closewatch("scrape_samples_scraped"), "{{instance}}")), "short", min=0), 8),
        ]),
        ("Configuration and life", 7, [
            (series("Configuration taken", "1 while the last configuration given is in force, 0 after one was refused.",
                    targets(("min by (instance) (%s)" % sel("closewatch_config_reload_success", **own), "{{instance}}")), "short", min=0, max=1,
                    decimals=0, custom={"lineInterpolation": "stepAfter"}), 8),
            (series("Up for", "Since the process started. A fall to zero is a restart.",
                    targets(("time() - max by (instance) (%s)" % on_closewatch("process_start_time_seconds"), "{{instance}}")), "dtdurations", min=0), 8),
            (series("Draining", "1 from the beginning of a drain on.",
                    targets(("max by (instance) (%s)" % sel("closewatch_draining", **own), "{{instance}}")), "short", min=0, max=1, decimals=0,
                    custom={"lineInterpolation": "stepAfter"}), 8),
        ]),
    ]
    return dashboard("closewatch-itself", "closewatch / closewatch itself",
                     "Whether closewatch does its own work: records, back-pressure, cost, configuration.",
                     [source("datasource", "Data source", "prometheus"), JOB, INSTANCE, ROUTE], rows)


DASHBOARDS = {"overview": overview, "explain": explain, "fleet": fleet, "itself": itself}


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit("usage: generate.py [--check]")
    differing = []
    for name, make in DASHBOARDS.items():
        path = HERE / (name + ".json")
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
    print("generate.py: %d dashboards, %s" % (len(DASHBOARDS), "as committed" if check else "%d written" % len(differing)))


if __name__ == "__main__":
    main()
