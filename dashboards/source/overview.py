"""The overview: the sessions that end, by class, code, initiator and cause."""

from .frame import INSTANCE, JOB, ROUTE, dashboard, source
from .panels import CAUSE_COLOURS, CODE_COLOURS, INITIATOR_COLOURS, QUIET, SHARE, colours, series, stat, targets
from .queries import LOST, in_range, now, per_minute, quantile, rate
from .shared import ends_by_class, failed_handshakes, lifetimes


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
                        "Share of all ends that were abnormal, not begun by the client, and not a client that had died: "
                        "what the alerts count. 1 % deserves a look, 5 % is an incident.",
                        "%s / (%s > 0)"
                        % (in_range("closewatch_closes_total", LOST), in_range("closewatch_closes_total")),
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
        (
            "What ends, how, and by whom",
            8,
            [
                (ends_by_class(), 12),
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
                    12,
                ),
                (
                    series(
                        "Ends by code",
                        "Close codes, per minute. 1005 and 1006 were never on the wire: 1005 is a Close without a code, 1006 is no "
                        "Close at all.",
                        targets((per_minute("closewatch_closes_total", by="code") + " > 0", "{{code}}")),
                        "cpm",
                        stacked=True,
                        bars=True,
                        overrides=colours(CODE_COLOURS),
                    ),
                    8,
                ),
                (
                    series(
                        "Ends by cause",
                        "The cause of the end: a Close that was answered or not, a FIN (eof), an RST (reset), silence (timeout) of "
                        "one side, or closewatch itself (drain, idle_timeout).",
                        targets((per_minute("closewatch_closes_total", by="cause") + " > 0", "{{cause}}")),
                        "cpm",
                        stacked=True,
                        bars=True,
                        overrides=colours(CAUSE_COLOURS),
                    ),
                    8,
                ),
                (
                    series(
                        "Ends by who began them",
                        "The side whose Close, FIN, RST or silence came first.",
                        targets((per_minute("closewatch_closes_total", by="initiator") + " > 0", "{{initiator}}")),
                        "cpm",
                        stacked=True,
                        bars=True,
                        overrides=colours(INITIATOR_COLOURS),
                    ),
                    8,
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
                        targets((now("closewatch_sessions_active", by="route"), "{{route}}")),
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
                    ),
                    8,
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
                    ),
                    8,
                ),
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
                    ),
                    8,
                ),
                (
                    series(
                        "Bytes",
                        "Bytes after the handshake, frame headers included.",
                        targets((rate("closewatch_frame_bytes_total", by="direction"), "{{direction}}")),
                        "Bps",
                    ),
                    8,
                ),
                (
                    series(
                        "Plain HTTP",
                        "Requests that passed through without an upgrade, by the class of their status.",
                        targets((rate("closewatch_http_requests_total", by="status_class"), "{{status_class}}")),
                        "reqps",
                    ),
                    8,
                ),
            ],
            True,
        ),
    ]
    return dashboard(
        "closewatch-overview",
        "closewatch / Overview",
        "WebSocket sessions and their ends: class, code, cause, and the side that began them.",
        [source("datasource", "Data source", "prometheus"), JOB, INSTANCE, ROUTE],
        rows,
    )
