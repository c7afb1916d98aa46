"""The report's tables on a ClickHouse: endings, silence, moments, addresses, mismatches, handshakes, reconnects."""

from .frame import dashboard, source
from .panels import CLASS_COLOURS, colours, override, panel

CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "${datasource}"}
CHOSEN = "from = '${__from:date:iso}', to = '${__to:date:iso}', routes = '${route:regex}'"
ROUTE = {
    "allValue": ".*",
    "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    "datasource": CLICKHOUSE,
    "hide": 0,
    "includeAll": True,
    "label": "Route",
    "multi": True,
    "name": "route",
    "options": [],
    "query": "SELECT DISTINCT route FROM closewatch.records WHERE event = 'websocket.closed' ORDER BY route",
    "refresh": 2,
    "regex": "",
    "skipUrlSync": False,
    "sort": 1,
    "type": "query",
}


def view(name, columns="*", rest=""):
    return "SELECT %s FROM closewatch.%s(%s)%s" % (columns, name, CHOSEN, " " + rest if rest else "")


def query(sql, series=False):
    return {
        "datasource": CLICKHOUSE,
        "editorType": "sql",
        # The plugin's numbers for formats: 0 is a time series, 1 a table.
        "format": 0 if series else 1,
        "queryType": "timeseries" if series else "table",
        "rawSql": sql,
        "refId": "A",
    }


def drawn(kind, title, description, sql, unit, options, series=False, **more):
    made = panel(kind, title, description, [query(sql, series)], unit, options, **more)
    return {**made, "datasource": CLICKHOUSE}


def table(title, description, sql, sort, units=(), **more):
    overrides = [override(name, unit=unit, **({"decimals": 1} if unit == "percentunit" else {})) for name, unit in units]
    options = {"cellHeight": "sm", "frameIndex": 0, "showHeader": True, "sortBy": [{"desc": True, "displayName": sort}]}
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False, "inspect": False, "minWidth": 90}
    return drawn("table", title, description, sql, "none", options, custom=custom, overrides=overrides, **more)


def bars(title, description, of):
    edge = "if(isNull(up_to_s), 'longer', concat('to ', toString(up_to_s), ' s')) AS length"
    options = {
        "barRadius": 0,
        "barWidth": 0.9,
        "fullHighlight": False,
        "groupWidth": 0.7,
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "orientation": "auto",
        "showValue": "auto",
        "stacking": "none",
        "tooltip": {"hideZeros": True, "mode": "single", "sort": "none"},
        "xTickLabelMaxLength": 0,
        "xTickLabelRotation": -45,
        "xTickLabelSpacing": 0,
    }
    sql = view("bars", edge + ", sessions", "WHERE of = '%s'" % of)
    return drawn("barchart", title, description, sql, "short", options, color={"mode": "fixed", "fixedColor": "blue"})


def ends():
    sql = (
        "SELECT toStartOfMinute(ended_at) AS time, class, count() AS ends FROM closewatch.sessions(%s) "
        "GROUP BY time, class ORDER BY time" % CHOSEN
    )
    custom = {
        "drawStyle": "bars",
        "fillOpacity": 80,
        "lineWidth": 0,
        "showPoints": "never",
        "stacking": {"group": "A", "mode": "normal"},
    }
    options = {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"hideZeros": True, "mode": "multi", "sort": "desc"},
    }
    return drawn(
        "timeseries",
        "Ends by class",
        "Sessions that ended, per minute.",
        sql,
        "short",
        options,
        series=True,
        custom=custom,
        overrides=colours(CLASS_COLOURS),
    )


def clickhouse():
    share = [("share", "percentunit")]
    rows = [
        (None, 8, [(ends(), 16), (table("Busiest moments", "Minutes in which most sessions ended.", view("busiest"), "ends"), 8)]),
        (
            "How sessions ended",
            9,
            [
                (table("Endings", "Sessions by class, code, initiator, cause and route.", view("endings"), "sessions"), 14),
                (
                    table(
                        "The two sides saw different codes",
                        "Where the log of one side alone misleads.",
                        view("mismatches"),
                        "sessions",
                        noValue="none in this time range",
                    ),
                    10,
                ),
            ],
        ),
        (
            "After how long",
            8,
            [
                (bars("Silence before the end", "A bar far above its neighbours is an idle limit.", "idle"), 9),
                (bars("Lifetimes", "A bar far above its neighbours is a maximum age.", "lifetime"), 9),
                (
                    table(
                        "Quantiles",
                        "Of lifetimes and of silence before the end, to 1 %.",
                        view("quantiles", "of, p50, p90, p99"),
                        "of",
                        [(name, "s") for name in ("p50", "p90", "p99")],
                    ),
                    6,
                ),
            ],
        ),
        (
            "Who",
            8,
            [
                (table("Clients", "Addresses with most abnormal ends.", view("clients"), "abnormal", share), 8),
                (table("Upstreams", "Addresses with most abnormal ends.", view("upstreams"), "abnormal", share), 8),
                (table("Instances", "Instances with most abnormal ends.", view("instances"), "abnormal", share), 8),
            ],
        ),
        (
            "Before and after",
            8,
            [
                (
                    table(
                        "Handshakes that failed",
                        "By outcome and status. A browser reports each of them as 1006 too.",
                        view("handshake_failures"),
                        "handshakes",
                        noValue="none in this time range",
                    ),
                    12,
                ),
                (
                    table(
                        "Reconnects",
                        "Whether clients opened another session of the route within an hour, by the class of the end before. "
                        "Addresses with five sessions at once or more are left out.",
                        view("reconnects"),
                        "ended",
                        [("median_s", "s")],
                        noValue="no client comes alone",
                    ),
                    12,
                ),
            ],
        ),
    ]
    made = dashboard(
        "closewatch-clickhouse",
        "closewatch / Close log in ClickHouse",
        "The tables of `closewatch report`, of the close logs of a fleet in ClickHouse (deploy/clickhouse).",
        [source("datasource", "Data source", "grafana-clickhouse-datasource"), ROUTE],
        rows,
        span="now-24h",
    )
    # The marks of the other dashboards are Prometheus's.
    return {**made, "annotations": {"list": made["annotations"]["list"][:1]}}
