"""The kinds of panel, with the properties that all panels of a kind share, their colours and thresholds."""

PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
LOKI = {"type": "loki", "uid": "${loki_datasource}"}

# A colour means one thing on every dashboard. Blue is the client, orange the upstream, purple closewatch. Green is as it should be,
# yellow worth a look, red bad; so classes, and the codes of a class, are green, yellow or red. Grey is what is not known. Teal is
# a number or a quantile, neither good nor bad. Only instances, routes and versions have the palette's colours, by their names: the same one
# wherever they are.
PLAIN = "#3aa6a6"
PLAIN_COLOURS = {"median": PLAIN, "90 %": "#78c8c8", "99 %": "#c0e6e6", "opened": PLAIN, "ended": "#c0e6e6"}
CLASS_COLOURS = {
    "clean": "green",
    "planned": "dark-green",
    "application": "super-light-green",
    "policy": "yellow",
    "protocol": "dark-yellow",
    "overload": "light-red",
    "abnormal": "red",
    "unknown": "text",
}
INITIATOR_COLOURS = {"client": "blue", "upstream": "orange", "proxy": "purple", "both": "text", "unknown": "text"}
DIRECTION_COLOURS = {"from_client": "blue", "from_upstream": "orange"}
CAUSE_COLOURS = {
    "close_handshake": "green",
    "close_unanswered": "yellow",
    "client_unresponsive": "super-light-blue",
    "client_eof": "light-blue",
    "client_reset": "blue",
    "client_timeout": "dark-blue",
    "upstream_unresponsive": "super-light-orange",
    "upstream_eof": "light-orange",
    "upstream_reset": "orange",
    "upstream_timeout": "dark-orange",
    "drain": "purple",
    "idle_timeout": "light-purple",
    "proxy_error": "dark-purple",
    "unknown": "text",
}
CODE_COLOURS = {
    "1000": "green",
    "1001": "light-green",
    "1005": "semi-dark-green",
    "1012": "dark-green",
    "3xxx": "super-light-green",
    "4xxx": "super-light-green",
    "1008": "yellow",
    "1009": "light-yellow",
    "1002": "dark-yellow",
    "1003": "dark-yellow",
    "1007": "semi-dark-yellow",
    "1010": "semi-dark-yellow",
    "invalid": "dark-yellow",
    "1013": "light-red",
    "1014": "semi-dark-red",
    "1006": "red",
    "1011": "dark-red",
    "unknown": "text",
}
HASTY_COLOURS = {"no_back_off": "red", "after_1012": "dark-green", "after_1013": "light-red"}
# By the side that a failed handshake is to be looked for at.
OUTCOME_COLOURS = {
    "refused": "light-orange",
    "upstream_closed": "super-light-orange",
    "upstream_timeout": "semi-dark-orange",
    "bad_response": "orange",
    "dial_failed": "dark-orange",
    "dial_timeout": "dark-orange",
    "tls_failed": "yellow",
    "bad_request": "blue",
    "no_route": "light-blue",
    "client_gone": "super-light-blue",
    "over_limit": "light-purple",
    "draining": "purple",
    "internal": "dark-purple",
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


def colours_by_prefix(table):
    """Colours for legends that begin with a name: `refused 403`."""
    return [
        {
            "matcher": {"id": "byRegexp", "options": "/^%s( |$)/" % name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in table.items()
    ]


def panel(kind, title, description, queries, unit, options, custom=None, thresholds=None, overrides=(), **defaults):
    links = defaults.pop("links", None)
    transformations = defaults.pop("transformations", None)
    field = {"color": {"mode": "fixed", "fixedColor": PLAIN}, "mappings": [], "thresholds": thresholds or steps(), "unit": unit}
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
    """One number. Its text has the colour of the threshold."""
    return stats(title, description, [target(expr, instant=True)], unit, thresholds, by_name=False, **defaults)


def stats(title, description, queries, unit, thresholds=None, by_name=True, reduce="lastNotNull", **defaults):
    """A tile for each series; one that is not as it should be is filled. With range queries, their course is drawn small."""
    defaults.setdefault("color", {"mode": "thresholds"})
    is_range = any(query["range"] for query in queries)
    options = {
        "colorMode": "background_solid" if by_name and not is_range else "value",
        "graphMode": "area" if is_range else "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "showPercentChange": False,
        "textMode": "value_and_name" if by_name else "value",
        "wideLayout": True,
        "reduceOptions": {"calcs": [reduce], "fields": "", "values": False},
    }
    return panel("stat", title, description, queries, unit, options, thresholds=thresholds, **defaults)


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
    if any(name in query["legendFormat"] for query in queries for name in ("{{instance}}", "{{route}}", "{{version}}")):
        more.setdefault("color", {"mode": "palette-classic-by-name"})
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


def heatmap(title, description, rows):
    """`rows`: (name, expression) of each row, the lowest first."""
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
            "scheme": "Greys",
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-09},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False},
    }
    custom = {"hideFrom": {"legend": False, "tooltip": False, "viz": False}, "scaleDistribution": {"type": "linear"}}
    return panel("heatmap", title, description, targets(*((expr, name) for name, expr in rows)), "cpm", options, custom)


SHARE = steps(0.01, "yellow", 0.05, "red")
QUIET = steps(base="text")
ALARM = steps(1, "red")
