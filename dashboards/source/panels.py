"""The kinds of panel, with the properties that all panels of a kind share, their colours and thresholds."""

PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
LOKI = {"type": "loki", "uid": "${loki_datasource}"}

CLASS_COLOURS = {
    "clean": "green",
    "planned": "blue",
    "application": "purple",
    "policy": "yellow",
    "protocol": "orange",
    "overload": "dark-orange",
    "abnormal": "red",
    "unknown": "text",
}
INITIATOR_COLOURS = {"client": "blue", "upstream": "orange", "proxy": "purple", "both": "green", "unknown": "text"}

CAUSE_COLOURS = {
    "close_handshake": "green",
    "close_unanswered": "yellow",
    "client_unresponsive": "light-blue",
    "client_eof": "blue",
    "client_reset": "dark-blue",
    "client_timeout": "super-light-blue",
    "upstream_unresponsive": "light-orange",
    "upstream_eof": "orange",
    "upstream_reset": "red",
    "upstream_timeout": "dark-red",
    "drain": "purple",
    "idle_timeout": "light-purple",
    "proxy_error": "super-light-red",
    "unknown": "text",
}
CODE_COLOURS = {
    "1000": "green",
    "1001": "light-green",
    "1005": "dark-green",
    "1006": "red",
    "1011": "dark-red",
    "1014": "light-red",
    "1012": "blue",
    "1013": "dark-orange",
    "1002": "orange",
    "1003": "orange",
    "1007": "light-orange",
    "1010": "light-orange",
    "invalid": "super-light-orange",
    "1008": "yellow",
    "1009": "light-yellow",
    "3xxx": "light-purple",
    "4xxx": "purple",
    "unknown": "text",
}


def target(expr, legend="", ref="A", instant=False, fmt="time_series"):
    return {
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": expr,
        "format": fmt,
        "instant": instant,
        "legendFormat": legend or "__auto",
        "range": not instant,
        "refId": ref,
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
        "datasource": PROMETHEUS,
        "description": description,
        "fieldConfig": {"defaults": field, "overrides": list(overrides)},
        "options": options,
        "targets": queries,
        "title": title,
        "type": kind,
    }
    if transformations:
        out["transformations"] = transformations
    return out


def stat(title, description, expr, unit, thresholds=None, **defaults):
    defaults.setdefault("color", {"mode": "thresholds"})
    options = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "showPercentChange": False,
        "textMode": "value",
        "wideLayout": True,
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return panel(
        "stat", title, description, [target(expr, instant=True)], unit, options, thresholds=thresholds, **defaults
    )


def series(title, description, queries, unit, stacked=False, bars=False, log=False, **more):
    custom = {
        "axisBorderShow": False,
        "axisCenteredZero": False,
        "axisColorMode": "text",
        "axisLabel": "",
        "axisPlacement": "auto",
        "barAlignment": 0,
        "barWidthFactor": 0.8,
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 80 if bars else 30 if stacked else 8,
        "gradientMode": "none",
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "insertNulls": False,
        "lineInterpolation": "linear",
        "lineWidth": 0 if bars else 1,
        "pointSize": 4,
        "scaleDistribution": {"type": "linear"},
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "off"},
    }
    if log:
        custom["scaleDistribution"] = {"type": "log", "log": 10}
    elif unit in ("cpm", "short", "ops", "reqps", "Bps"):
        # A flat line of zeros gets an axis from 0 to 1, not from 0 to 100.
        custom["axisSoftMax"] = 1
    custom.update(more.pop("custom", {}))
    options = {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"hideZeros": True, "mode": "multi", "sort": "desc"},
    }
    if not log:
        more.setdefault("min", 0)
    if all(query["expr"].endswith("> 0") for query in queries):
        # These queries show only kinds that happened. If none did, that is no lack of data.
        more.setdefault("noValue", "none in this time range")
    return panel("timeseries", title, description, queries, unit, options, custom, **more)


def table(title, description, queries, unit, columns, sort, hidden=(), overrides=(), **more):
    """`columns`: name in the data → (name on screen, override properties), in their order."""
    rename = {name: shown for name, (shown, _) in columns.items()}
    order = {name: i for i, name in enumerate(columns)}
    exclude = {name: True for name in ("Time", *hidden)}
    # Without this, text that looks like a number ("1006") would get the unit of numbers.
    shown = [
        override(label, **({} if name.startswith("Value") else {"unit": "string"}), **properties)
        for name, (label, properties) in columns.items()
    ]
    shown = [one for one in shown if one["properties"]]
    transformations = [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {"excludeByName": exclude, "includeByName": {}, "indexByName": order, "renameByName": rename},
        },
    ]
    options = {"cellHeight": "sm", "frameIndex": 0, "showHeader": True, "sortBy": [{"desc": True, "displayName": sort}]}
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False, "inspect": False, "minWidth": 90}
    return panel(
        "table",
        title,
        description,
        queries,
        unit,
        options,
        custom,
        overrides=[*shown, *overrides],
        transformations=transformations,
        color={"mode": "thresholds"},
        **more
    )


def bars(title, description, queries, unit, **more):
    options = {
        "displayMode": "basic",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "maxVizHeight": 300,
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "left",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "color",
    }
    more.setdefault("color", {"mode": "thresholds"})
    return panel("bargauge", title, description, queries, unit, options, min=0, **more)


def heatmap(title, description, expr, edges):
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": "cpm"},
        "color": {
            "exponent": 0.5,
            "fill": "dark-orange",
            "mode": "scheme",
            "reverse": False,
            "scale": "exponential",
            "scheme": "Oranges",
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-09},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": edges},
    }
    custom = {"hideFrom": {"legend": False, "tooltip": False, "viz": False}, "scaleDistribution": {"type": "linear"}}
    return panel("heatmap", title, description, [target(expr, "{{le}}", fmt="heatmap")], "cpm", options, custom)


SHARE = steps(0.01, "yellow", 0.05, "red")
QUIET = steps(base="text")
ALARM = steps(1, "red")
