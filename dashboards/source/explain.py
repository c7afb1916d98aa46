"""The dashboard that explains a spike: the kinds of end that grew, the silence before them, the initiator, the route."""

from .frame import CLASS, INSTANCE, JOB, ROUTE, dashboard, source
from .links import EXPLAIN, ROUTES, close_log, explore, link_to
from .panels import (
    CAUSE_COLOURS,
    CLASS_COLOURS,
    DIRECTION_COLOURS,
    HASTY_COLOURS,
    INITIATOR_COLOURS,
    LOKI,
    SHARE,
    bars,
    colours,
    colours_by_prefix,
    heatmap,
    series,
    steps,
    table,
    target,
    targets,
)
from .queries import A_ROUTE, IDLE_EDGES, LIFE_EDGES, in_range, le, lost, now, per_minute, quantile, ranges, rate
from .shared import ends_by_class, failed_handshakes, findings, time_away

# (limit, edge below, edge above, hops that have it)
IDLE_LIMITS = [
    ("15 s", 14.5, 16, ""),
    ("30 s", 29.5, 31, ""),
    ("60 s", 59.5, 62, "nginx, ALB"),
    ("100 s", 99.5, 102, "Cloudflare"),
    ("120 s", 119.5, 122, ""),
    ("300 s", 299.5, 303, ""),
    ("350 s", 349.5, 353, "AWS NLB"),
    ("600 s", 599.5, 605, "API Gateway"),
    ("1 h", 3599, 3610, ""),
]


def explain():
    chosen = 'class=~"$class"'
    idle, duration = "closewatch_idle_before_close_seconds_bucket", "closewatch_session_duration_seconds_bucket"
    kinds = "route, code, class, initiator, cause"
    ended = in_range("closewatch_closes_total", chosen, kinds)
    ended_before = in_range("closewatch_closes_total", chosen, kinds, before=True)
    class_cells = {
        "custom__cellOptions": {"type": "color-text"},
        "mappings": [
            {
                "type": "value",
                "options": {
                    name: {"color": colour, "index": i, "text": name}
                    for i, (name, colour) in enumerate(CLASS_COLOURS.items())
                },
            }
        ],
    }
    row_log = explore(
        "${loki_datasource}",
        "loki",
        {
            "editorMode": "code",
            "expr": close_log(
                ' | route="${__data.fields.route}" | cause="${__data.fields.cause}" | initiator="${__data.fields.initiator}"'
            ),
        },
    )
    what = table(
        "What ended, against the range before",
        "Every kind of end in the chosen time range, how many there were in the range of the same length before it, and the "
        "difference. Sorted by the difference: the first rows are the spike. Click a row for its lines in the close log.",
        [
            target(ended + " > 0", ref="A", instant=True, fmt="table"),
            target(ended_before + " > 0", ref="B", instant=True, fmt="table"),
            target("%s - (%s or 0 * %s) != 0" % (ended, ended_before, ended), ref="C", instant=True, fmt="table"),
        ],
        "locale",
        {
            "route": ("route", {}),
            "code": ("code", {}),
            "class": ("class", class_cells),
            "initiator": ("initiator", {}),
            "cause": ("cause", {}),
            "Value #C": (
                "change",
                {
                    "decimals": 0,
                    "custom__cellOptions": {"type": "color-text"},
                    "thresholds": steps(1, "yellow", base="text"),
                },
            ),
            "Value #A": (
                "this range",
                {
                    "decimals": 0,
                    "custom__cellOptions": {"mode": "basic", "type": "gauge"},
                    "color": {"mode": "fixed", "fixedColor": "semi-dark-yellow"},
                    "min": 0,
                },
            ),
            "Value #B": ("the range before", {"decimals": 0}),
        },
        "change",
        links=[{"title": "Close log", "url": row_log}],
    )
    routes = table(
        "Route by route",
        "Each route in the chosen time range. Lost: abnormal and not the client's doing, or cut by a box for its silence. Saw "
        "differently: the two sides were told different codes.",
        [
            target(expr, ref=chr(ord("A") + i), instant=True, fmt="table")
            for i, expr in enumerate(
                [
                    now("closewatch_sessions_active", A_ROUTE, "route"),
                    in_range("closewatch_sessions_opened_total", A_ROUTE, "route"),
                    in_range("closewatch_closes_total", by="route"),
                    lost("route", A_ROUTE),
                    "%s / (%s > 0)"
                    % (
                        lost("route"),
                        in_range("closewatch_closes_total", by="route"),
                    ),
                    in_range("closewatch_saw_mismatch_total", by="route"),
                    in_range("closewatch_handshakes_total", 'outcome!="upgraded"', "route"),
                    "histogram_quantile(0.5, %s)"
                    % in_range("closewatch_session_duration_seconds_bucket", by="le, route"),
                ]
            )
        ],
        "locale",
        {
            "route": ("route", {}),
            "Value #A": ("up now", {"decimals": 0}),
            "Value #B": ("opened", {"decimals": 0}),
            "Value #C": ("ended", {"decimals": 0}),
            "Value #D": ("lost", {"decimals": 0}),
            "Value #E": (
                "lost share",
                {
                    "unit": "percentunit",
                    "decimals": 1,
                    "thresholds": SHARE,
                    "custom__cellOptions": {"type": "color-text"},
                },
            ),
            "Value #F": ("saw differently", {"decimals": 0}),
            "Value #G": ("failed handshakes", {"decimals": 0}),
            "Value #H": ("median lifetime", {"unit": "s", "decimals": 1}),
        },
        "lost",
        links=[link_to(EXPLAIN, "This route alone", route="${__data.fields.route}")],
    )
    limits = []
    for i, (name, below, above, who) in enumerate(IDLE_LIMITS):
        up_to = lambda edge: in_range(idle, "%s, %s" % (chosen, le(edge)))
        limits.append(
            target(
                "%s - %s" % (up_to(above), up_to(below)),
                name + (" (%s)" % who if who else ""),
                chr(ord("A") + i),
                instant=True,
            )
        )
    log_panel = {
        "datasource": LOKI,
        "description": "The newest abnormal ends, one JSON record each. Open a line for all fields; its trace_id leads to the trace.",
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {
            "dedupStrategy": "none",
            "enableInfiniteScrolling": False,
            "enableLogDetails": True,
            "prettifyLogMessage": False,
            "showCommonLabels": False,
            "showLabels": False,
            "showLogContextToggle": False,
            "showTime": True,
            "sortOrder": "Descending",
            "wrapLogMessage": True,
        },
        "targets": [
            {
                "datasource": LOKI,
                "editorMode": "code",
                "expr": close_log(ROUTES + ' | class=~"${class:pipe}"'),
                "maxLines": 200,
                "queryType": "range",
                "refId": "A",
            }
        ],
        "title": "Close log",
        "type": "logs",
    }
    rows = [
        (None, 6, [(findings(), 24)]),
        ("When: and was it a closure at all?", 8, [(ends_by_class(), 12), (failed_handshakes(), 12)]),
        ("What: the kinds of end that grew", 10, [(what, 24)]),
        (
            "After how long: silence and lifetime",
            11,
            [
                (
                    heatmap(
                        "Silence before the end",
                        "Seconds without a frame when the session ended, per minute. A bright line at one height is an idle limit of "
                        "some hop; a bright column at the bottom is a crash or a deploy in the middle of traffic.",
                        ranges(idle, IDLE_EDGES, chosen, "s"),
                    ),
                    8,
                ),
                (
                    heatmap(
                        "Lifetime",
                        "How long sessions had been up when they ended, per minute. A line at one height is a maximum age; a column over "
                        "all heights is a mass disconnect; a band at the bottom is flapping.",
                        ranges(duration, LIFE_EDGES, chosen),
                    ),
                    8,
                ),
                (
                    bars(
                        "Ended right at a usual idle limit",
                        "Ends whose silence falls between two edges around a limit in common use (60 s: between 59.5 and 62 s). One long bar "
                        "names the hop that cuts; choose class abnormal to see it alone. Answer: pings more often than that.",
                        limits,
                        "locale",
                        thresholds=steps(5, "yellow", base="text"),
                        decimals=0,
                    ),
                    8,
                ),
            ],
        ),
        (
            "Who: the two sides",
            8,
            [
                (
                    series(
                        "By cause",
                        "The cause of the end of sessions in the chosen classes, per minute.",
                        targets((per_minute("closewatch_closes_total", chosen, "cause") + " > 0", "{{cause}}")),
                        "cpm",
                        stacked=True,
                        bars=True,
                        overrides=colours(CAUSE_COLOURS),
                    ),
                    6,
                ),
                (
                    series(
                        "By who began it",
                        "The side whose Close, FIN, RST or silence came first, in the chosen classes, per minute.",
                        targets((per_minute("closewatch_closes_total", chosen, "initiator") + " > 0", "{{initiator}}")),
                        "cpm",
                        stacked=True,
                        bars=True,
                        overrides=colours(INITIATOR_COLOURS),
                    ),
                    6,
                ),
                (
                    series(
                        "The two sides saw different codes",
                        "Ends after which the client's library and the upstream's report different codes, by who began the end, per minute. "
                        "Then the logs of neither side alone tell what happened: the close log has both.",
                        targets((per_minute("closewatch_saw_mismatch_total", by="initiator") + " > 0", "{{initiator}}")),
                        "cpm",
                        stacked=True,
                        overrides=colours(INITIATOR_COLOURS),
                    ),
                    6,
                ),
                (
                    series(
                        "Time to answer a Close",
                        "From the first Close to the other side's, by who sent the first: 95 % took less. Seconds mean an event loop that is stuck, "
                        "or a server that waits for work in flight.",
                        targets(
                            (quantile(0.95, "closewatch_close_handshake_seconds", by="initiator"), "{{initiator}}")
                        ),
                        "s",
                        overrides=colours(INITIATOR_COLOURS),
                    ),
                    6,
                ),
            ],
        ),
        ("Route by route", 8, [(routes, 24)]),
        (
            None,
            7,
            [
                (
                    series(
                        "Lost sessions, by route",
                        "Abnormal ends that are not the client's doing, and ends that a box made for silence, per minute.",
                        targets((per_minute("closewatch_sessions_lost_total", A_ROUTE, "route"), "{{route}}")),
                        "cpm",
                        stacked=True,
                        bars=True,
                    ),
                    8,
                ),
                (
                    series(
                        "Breaches of the protocol",
                        "Breaches of RFC 6455 in ended sessions, by the side that sent them and by kind, per minute.",
                        targets(
                            (
                                per_minute("closewatch_violations_total", by="direction, kind") + " > 0",
                                "{{direction}} {{kind}}",
                            )
                        ),
                        "cpm",
                        stacked=True,
                        bars=True,
                        overrides=colours_by_prefix(DIRECTION_COLOURS),
                    ),
                    8,
                ),
                (
                    series(
                        "Bytes read and never delivered",
                        "Bytes on their way when the session ended, by direction. The receiver never got them.",
                        targets((rate("closewatch_undelivered_bytes_total", by="direction"), "{{direction}}")),
                        "Bps",
                        stacked=True,
                        bars=True,
                        overrides=colours(DIRECTION_COLOURS),
                    ),
                    8,
                ),
            ],
        ),
        (
            "Did they come back?",
            8,
            [
                (time_away(), 8),
                (
                    series(
                        "Never came back, share",
                        "Of the ends whose clients can be told apart, those that no session of the same client followed within an "
                        "hour: so this is an hour late. By the class of the end.",
                        targets(
                            (
                                "%s / (%s + %s > 0)"
                                % (
                                    rate("closewatch_never_returned_total", by="class"),
                                    rate("closewatch_never_returned_total", by="class"),
                                    rate("closewatch_reconnect_seconds_count", by="class"),
                                ),
                                "{{class}}",
                            )
                        ),
                        "percentunit",
                        max=1,
                        overrides=colours(CLASS_COLOURS),
                    ),
                    8,
                ),
                (
                    series(
                        "Came back too soon",
                        "Per minute. no_back_off: at once after a session of seconds, for the third time in a row or more. after_1012 and "
                        "after_1013: within 5 s of a code that asks for a wait.",
                        targets((per_minute("closewatch_hasty_reconnects_total", by="kind"), "{{kind}}")),
                        "cpm",
                        stacked=True,
                        bars=True,
                        overrides=colours(HASTY_COLOURS),
                    ),
                    8,
                ),
            ],
        ),
        ("The close log (Loki)", 12, [(log_panel, 24)], True),
    ]
    logs = explore("${loki_datasource}", "loki", {"editorMode": "code", "expr": close_log(ROUTES)})
    traces = explore(
        "${tempo_datasource}",
        "tempo",
        {"queryType": "traceql", "limit": 20, "query": '{span.closewatch.class="abnormal"}'},
    )
    links = [
        {
            "asDropdown": False,
            "icon": icon,
            "includeVars": False,
            "keepTime": False,
            "tags": [],
            "targetBlank": True,
            "title": title,
            "tooltip": tip,
            "type": "link",
            "url": url,
        }
        for title, icon, tip, url in (
            ("Close log", "doc", "Every end of the chosen routes, in Explore", logs),
            ("Traces", "bolt", "Sessions that ended abnormally, in Explore", traces),
        )
    ]
    variables = [
        source("datasource", "Data source", "prometheus"),
        source("loki_datasource", "Loki data source", "loki"),
        source("tempo_datasource", "Tempo data source", "tempo"),
        JOB,
        INSTANCE,
        ROUTE,
        CLASS,
    ]
    return dashboard(
        EXPLAIN,
        "closewatch / Explain a spike",
        "Choose the time range of a spike: the kinds of end that grew, the silence before them, the side that began them, the route.",
        variables,
        rows,
        span="now-1h",
        links=links,
    )
