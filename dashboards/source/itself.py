"""The dashboard about closewatch itself: does it do its work, and what does it use."""

from .frame import INSTANCE, JOB, ROUTE, dashboard, source
from .panels import ALARM, QUIET, override, series, stat, stats, steps, targets
from .queries import in_range, now, rate, sel


def itself():
    own = {"route": False}
    on_closewatch = lambda metric: "%s and on (job, instance) %s" % (
        sel(metric, **own),
        sel("closewatch_build_info", **own),
    )
    cpu = "sum by (instance) (rate(%s[$__rate_interval]) and on (job, instance) %s)" % (
        sel("process_cpu_seconds_total", **own),
        sel("closewatch_build_info", **own),
    )
    rows = [
        (
            "What it could not do: all green, or the numbers are not to be trusted",
            6,
            [
                (
                    stats(
                        "Records dropped",
                        "Records that did not reach an output in the chosen time range, by output: too slow, or failing. Sessions are never "
                        "held up for one; metrics count every end all the same.",
                        targets((in_range("closewatch_records_dropped_total", by="sink", **own), "{{sink}}"), instant=True),
                        "locale",
                        ALARM,
                        decimals=0,
                    ),
                    6,
                ),
                (
                    stats(
                        "Connections rejected",
                        "Connections turned away before they made a request in the chosen time range, by reason: a limit, or no descriptors or "
                        "memory left.",
                        targets(
                            (in_range("closewatch_connections_rejected_total", by="reason", **own), "{{reason}}"), instant=True
                        ),
                        "locale",
                        ALARM,
                        decimals=0,
                    ),
                    8,
                ),
                (
                    stats(
                        "Blind sessions",
                        "Ended sessions of which one direction could not be read as WebSocket frames, by direction: their code is unknown.",
                        targets((in_range("closewatch_blind_sessions_total", by="direction"), "{{direction}}"), instant=True),
                        "locale",
                        steps(1, "yellow"),
                        decimals=0,
                    ),
                    5,
                ),
                (
                    stats(
                        "Streams refused",
                        "Requests for /closes/stream that were answered 503 in the chosen time range: too many live pages and tails at once.",
                        targets((in_range("closewatch_streams_refused_total", **own), "streams"), instant=True),
                        "locale",
                        ALARM,
                        decimals=0,
                    ),
                    5,
                ),
            ],
        ),
        (
            None,
            4,
            [
                (
                    stat(
                        "Descriptors used",
                        "The instance nearest to its limit. Each session takes two.",
                        "max((%s) / %s)" % (on_closewatch("process_open_fds"), sel("process_max_fds", **own)),
                        "percentunit",
                        steps(0.7, "yellow", 0.9, "red"),
                        decimals=1,
                    ),
                    6,
                ),
                (
                    stat(
                        "Configuration",
                        "Taken if every chosen instance has the last configuration that it was given. On an instance that refused it, the one before is in force.",
                        "min(%s)" % sel("closewatch_config_reload_success", **own),
                        "none",
                        steps(1, "green", base="red"),
                        mappings=[
                            {
                                "type": "value",
                                "options": {"0": {"index": 0, "text": "refused"}, "1": {"index": 1, "text": "taken"}},
                            }
                        ],
                    ),
                    6,
                ),
                (
                    stat(
                        "Last configuration",
                        "Time since the newest configuration was taken.",
                        "time() - max(%s)" % sel("closewatch_config_last_reload_timestamp_seconds", **own),
                        "dtdurations",
                        QUIET,
                        decimals=0,
                    ),
                    6,
                ),
                (
                    stat(
                        "Draining",
                        "Instances that are draining now.",
                        "sum(%s)" % sel("closewatch_draining", **own),
                        "short",
                        steps(1, "purple", base="text"),
                    ),
                    6,
                ),
            ],
        ),
        (
            "Back-pressure: the most at one time, and its course",
            5,
            [
                (
                    stats(
                        "Sessions that wait for a peer",
                        "Sessions whose one side does not take its bytes, so that the other is not read: slow "
                        "consumers, suspended tabs. They are never ended for it.",
                        targets((now("closewatch_sessions_stalled", **own), "sessions")),
                        "short",
                        steps(1, "yellow"),
                        by_name=False,
                        reduce="max",
                    ),
                    8,
                ),
                (
                    stats(
                        "Bytes held for slow peers",
                        "Bytes held in closewatch for slow peers: at most one buffer or one pipe for each session.",
                        targets((now("closewatch_spilled_bytes", **own), "bytes")),
                        "bytes",
                        steps(1, "yellow"),
                        by_name=False,
                        reduce="max",
                    ),
                    8,
                ),
                (
                    stats(
                        "Bytes read and never delivered, a second",
                        "Bytes that were not delivered because the session had ended.",
                        targets((rate("closewatch_undelivered_bytes_total"), "bytes")),
                        "Bps",
                        steps(1, "yellow"),
                        by_name=False,
                        reduce="max",
                    ),
                    8,
                ),
            ],
        ),
        (
            "What it costs",
            8,
            [
                (
                    series(
                        "CPU",
                        "Cores in use. The counter moves in whole seconds: over short ranges it looks like steps.",
                        targets((cpu, "{{instance}}")),
                        "short",
                    ),
                    8,
                ),
                (
                    series(
                        "Memory",
                        "Resident memory of each instance.",
                        targets(
                            ("sum by (instance) (%s)" % on_closewatch("process_resident_memory_bytes"), "{{instance}}")
                        ),
                        "bytes",
                    ),
                    8,
                ),
                (
                    series(
                        "Memory per session",
                        "Resident memory divided by open sessions. It is meaningful from some hundred sessions on.",
                        targets(
                            (
                                "sum by (instance) (%s) / (%s > 0)"
                                % (
                                    on_closewatch("process_resident_memory_bytes"),
                                    "sum by (instance) (%s)" % sel("closewatch_sessions_active", **own),
                                ),
                                "{{instance}}",
                            )
                        ),
                        "bytes",
                    ),
                    8,
                ),
                (
                    series(
                        "Descriptors",
                        "Open descriptors, and the lowest limit of an instance (dashed). At the limit connections are rejected.",
                        targets(
                            ("sum by (instance) (%s)" % on_closewatch("process_open_fds"), "{{instance}}"),
                            ("min(%s)" % on_closewatch("process_max_fds"), "limit"),
                        ),
                        "short",
                        log=True,
                        overrides=[
                            override(
                                "limit",
                                color={"mode": "fixed", "fixedColor": "red"},
                                custom__fillOpacity=0,
                                custom__lineStyle={"dash": [8, 6], "fill": "dash"},
                            )
                        ],
                    ),
                    8,
                ),
                (
                    series(
                        "Up for",
                        "Time since the process started. A fall to zero is a restart.",
                        targets(
                            (
                                "time() - max by (instance) (%s)" % on_closewatch("process_start_time_seconds"),
                                "{{instance}}",
                            )
                        ),
                        "dtdurations",
                    ),
                    8,
                ),
                (
                    series(
                        "Series per scrape",
                        "Series that an instance exports. They grow with routes and codes, never with peers.",
                        targets(("sum by (instance) (%s)" % on_closewatch("scrape_samples_scraped"), "{{instance}}")),
                        "short",
                    ),
                    8,
                ),
            ],
        ),
    ]
    return dashboard(
        "closewatch-itself",
        "closewatch / closewatch itself",
        "The work of closewatch itself: records, back-pressure, cost, configuration.",
        [source("datasource", "Data source", "prometheus"), JOB, INSTANCE, ROUTE],
        rows,
    )
