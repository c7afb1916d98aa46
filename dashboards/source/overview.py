"""The overview: the sessions that end, by class, code, initiator and cause."""

from .frame import BY, INSTANCE, JOB, ROUTE, dashboard, source
from .panels import DIRECTION_COLOURS, INITIATOR_COLOURS, PLAIN_COLOURS, QUIET, SHARE, colours, colours_by_prefix, series, stat, targets
from .queries import A_ROUTE, in_range, lost, now, per_minute, quantile, rate
from .shared import ends, failed_handshakes, findings, lifetimes, time_away


def overview():
    rows = [
        (
            None,
            4,
            [
                (
                    stat(
                        "Sessions up",
                        "WebSocket sessions that are open now.",
                        now("closewatch_sessions_active"),
                        "short",
                        QUIET,
                    ),
                    4,
                ),
                (
                    stat(
                        "Opened",
                        "Sessions opened in the chosen time range.",
                        in_range("closewatch_sessions_opened_total"),
                        "locale",
                        QUIET,
                        decimals=0,
                    ),
                    4,
                ),
                (
                    stat(
                        "Ended",
                        "Sessions that ended in the chosen time range, however they ended.",
                        in_range("closewatch_closes_total"),
                        "locale",
                        QUIET,
                        decimals=0,
                    ),
                    4,
                ),
                (
                    stat(
                        "Lost",
                        "Share of all ends that were abnormal and not the client's doing, as the alerts count them, and of those "
                        "that diagnosis says a box cut for their silence, whoever seems to have begun them. 1 % deserves a look, 5 % is an "
                        "incident.",
                        "%s / (%s > 0)" % (lost(), in_range("closewatch_closes_total")),
                        "percentunit",
                        SHARE,
                        noValue="nothing ended",
                        decimals=2,
                    ),
                    4,
                ),
                (
                    stat(
                        "Failed handshakes",
                        "Share of upgrade requests that did not become a session.",
                        "%s / (%s > 0)"
                        % (
                            in_range("closewatch_handshakes_total", 'outcome!="upgraded"'),
                            in_range("closewatch_handshakes_total"),
                        ),
                        "percentunit",
                        SHARE,
                        noValue="none asked",
                        decimals=2,
                    ),
                    4,
                ),
                (
                    stat(
                        "Median lifetime",
                        "Half of the sessions that ended in the chosen time range had been up for less than this.",
                        "histogram_quantile(0.5, %s)" % in_range("closewatch_session_duration_seconds_bucket", by="le"),
                        "s",
                        QUIET,
                        noValue="nothing ended",
                    ),
                    4,
                ),
            ],
        ),
        (None, 6, [(findings(), 24)]),
        (
            "What ends, how, and by whom",
            9,
            [
                (ends(), 14),
                (
                    series(
                        "Abnormal share of ends, by who began it",
                        "Abnormal ends as a share of all ends. By the client: phones asleep, lost networks; slow drift is life. By "
                        "the upstream: crashes, kills, idle limits on its side: this is the line that pages.",
                        targets(
                            (
                                "%s / ignoring (initiator) group_left () (%s > 0)"
                                % (
                                    rate("closewatch_closes_total", 'class="abnormal"', "initiator"),
                                    rate("closewatch_closes_total"),
                                ),
                                "{{initiator}}",
                            )
                        ),
                        "percentunit",
                        overrides=colours(INITIATOR_COLOURS),
                    ),
                    10,
                ),
            ],
        ),
        (
            "Sessions",
            8,
            [
                (
                    series(
                        "Sessions up, by route",
                        "Open sessions. A step down is a mass disconnect, whatever the code was.",
                        targets((now("closewatch_sessions_active", A_ROUTE, "route"), "{{route}}")),
                        "short",
                        stacked=True,
                    ),
                    8,
                ),
                (
                    series(
                        "Opened and ended",
                        "Per minute. Opened far above its usual level, with short lifetimes, is a reconnect storm.",
                        targets(
                            (per_minute("closewatch_sessions_opened_total"), "opened"),
                            (per_minute("closewatch_closes_total"), "ended"),
                        ),
                        "cpm",
                        overrides=colours(PLAIN_COLOURS),
                    ),
                    8,
                ),
                (lifetimes(), 8),
                (failed_handshakes(), 8),
                (
                    series(
                        "Time to open",
                        "From the upgrade request to its answer, dial of the upstream included.",
                        targets(
                            *(
                                (quantile(q, "closewatch_handshake_duration_seconds"), name)
                                for q, name in ((0.5, "median"), (0.99, "99 %"))
                            )
                        ),
                        "s",
                        overrides=colours(PLAIN_COLOURS),
                    ),
                    8,
                ),
                (time_away(), 8),
            ],
        ),
        (
            "Traffic",
            7,
            [
                (
                    series(
                        "Messages",
                        "WebSocket messages, counted at their last frame.",
                        targets(
                            (rate("closewatch_messages_total", by="direction, kind") + " > 0", "{{direction}} {{kind}}")
                        ),
                        "ops",
                        overrides=colours_by_prefix(DIRECTION_COLOURS),
                    ),
                    6,
                ),
                (
                    series(
                        "Bytes",
                        "Bytes after the handshake, frame headers included.",
                        targets((rate("closewatch_frame_bytes_total", by="direction"), "{{direction}}")),
                        "Bps",
                        overrides=colours(DIRECTION_COLOURS),
                    ),
                    6,
                ),
                (
                    series(
                        "Plain HTTP",
                        "Requests that passed through without an upgrade, by the class of their status.",
                        targets((rate("closewatch_http_requests_total", by="status_class"), "{{status_class}}")),
                        "reqps",
                    ),
                    6,
                ),
                (
                    series(
                        "Ping round trip",
                        "From a ping to its pong, by the side that answered. closewatch only watches them. Empty if nobody "
                        "sends pings.",
                        targets(
                            *(
                                (quantile(q, "closewatch_ping_rtt_seconds", by="peer"), "{{peer}} " + name)
                                for q, name in ((0.5, "median"), (0.99, "99 %"))
                            )
                        ),
                        "s",
                        overrides=colours_by_prefix(INITIATOR_COLOURS),
                    ),
                    6,
                ),
            ],
            True,
        ),
    ]
    return dashboard(
        "closewatch-overview",
        "closewatch / Overview",
        "WebSocket sessions and their ends: class, code, cause, and the side that began them.",
        [source("datasource", "Data source", "prometheus"), JOB, INSTANCE, ROUTE, BY],
        rows,
    )
