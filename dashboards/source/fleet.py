"""The dashboard for many sidecars: the instances that stand out, the effect of a deploy, the share of lost sessions."""

from .frame import INSTANCE, JOB, ROUTE, dashboard, source
from .links import EXPLAIN, link_to
from .panels import QUIET, SHARE, override, series, stat, steps, table, target, targets
from .queries import alive, in_range, lost, now, per_minute, sel, total


def fleet():
    own = {"route": False}
    ended = in_range("closewatch_closes_total", by="instance")
    gone = lost("instance")
    instances = table(
        "Instance by instance",
        "Sorted by the share of sessions lost: of all sessions that were up at any moment of the chosen time range, those that ended "
        "abnormally and not by their client's doing, or that a box cut for their silence. One instance far above the others has a bad neighbour, "
        "node or zone.",
        [
            target(expr, ref=chr(ord("A") + i), instant=True, fmt="table")
            for i, expr in enumerate(
                [
                    "max by (instance, version) (%s)" % sel("closewatch_build_info", **own),
                    "time() - max by (instance) (%s and on (job, instance) %s)"
                    % (sel("process_start_time_seconds", **own), sel("closewatch_build_info", **own)),
                    now("closewatch_sessions_active", by="instance"),
                    in_range("closewatch_sessions_opened_total", by="instance"),
                    ended,
                    gone,
                    "%s / %s" % (gone, alive("instance", "$__range")),
                    "max by (instance) (%s)" % sel("closewatch_draining", **own),
                ]
            )
        ],
        "locale",
        {
            "instance": ("instance", {}),
            "version": ("version", {}),
            "Value #B": ("up for", {"unit": "dtdurations", "decimals": 0}),
            "Value #C": ("sessions up", {"decimals": 0}),
            "Value #D": ("opened", {"decimals": 0}),
            "Value #E": ("ended", {"decimals": 0}),
            "Value #F": ("lost", {"decimals": 0}),
            "Value #G": (
                "share lost",
                {
                    "unit": "percentunit",
                    "decimals": 2,
                    "thresholds": SHARE,
                    "custom__cellOptions": {"type": "color-text"},
                },
            ),
            "Value #H": ("draining", {"unit": "bool_yes_no"}),
        },
        "share lost",
        hidden=["Value #A"],
        links=[link_to(EXPLAIN, "Explain this instance", instance="${__data.fields.instance}")],
    )
    per_instance = "%s / %s" % (
        total("increase(%s[$__rate_interval])" % sel("closewatch_sessions_lost_total"), "instance"),
        alive("instance"),
    )
    rows = [
        (
            None,
            4,
            [
                (
                    stat(
                        "Instances",
                        "Instances of closewatch that answer the scrape now.",
                        "count(%s)" % sel("closewatch_build_info", **own),
                        "short",
                        QUIET,
                    ),
                    4,
                ),
                (
                    stat(
                        "Draining",
                        "Instances that are draining now.",
                        "sum(%s)" % sel("closewatch_draining", **own),
                        "short",
                        steps(1, "purple", base="text"),
                    ),
                    4,
                ),
                (
                    stat(
                        "Started",
                        "Instances that started in the chosen time range, by their start time.",
                        "count((time() - %s and on (job, instance) %s) < $__range_s) or vector(0)"
                        % (sel("process_start_time_seconds", **own), sel("closewatch_build_info", **own)),
                        "short",
                        QUIET,
                    ),
                    4,
                ),
                (
                    stat(
                        "Sessions up",
                        "Open sessions of all chosen instances.",
                        now("closewatch_sessions_active"),
                        "short",
                        QUIET,
                    ),
                    4,
                ),
                (
                    stat(
                        "Share lost",
                        "Of all sessions that were up at any moment of the chosen time range: those that ended "
                        "abnormally and not by their client's doing, or that a box cut for their silence.",
                        "%s / %s" % (lost(), alive(window="$__range")),
                        "percentunit",
                        SHARE,
                        noValue="no sessions",
                        decimals=2,
                    ),
                    4,
                ),
                (
                    stat(
                        "Share ended",
                        "Of all sessions that were up at any moment of the chosen time range: those that ended, "
                        "however they ended.",
                        "%s / %s" % (in_range("closewatch_closes_total"), alive(window="$__range")),
                        "percentunit",
                        QUIET,
                        noValue="no sessions",
                        decimals=0,
                    ),
                    4,
                ),
            ],
        ),
        ("The instance that stands out", 9, [(instances, 24)]),
        (
            None,
            8,
            [
                (
                    series(
                        "Share of sessions lost: the worst five, and the fleet",
                        "Of the sessions that each instance had up, those it lost. The dashed line is the fleet's median instance: far above it "
                        "is an outlier, all together is the upstream or the network.",
                        targets(
                            ("topk(5, %s)" % per_instance, "{{instance}}"),
                            ("quantile(0.5, %s)" % per_instance, "median instance"),
                        ),
                        "percentunit",
                        overrides=[
                            override(
                                "median instance",
                                color={"mode": "fixed", "fixedColor": "text"},
                                custom__lineStyle={"dash": [8, 6], "fill": "dash"},
                                custom__fillOpacity=0,
                                custom__lineWidth=2,
                            )
                        ],
                    ),
                    12,
                ),
                (
                    series(
                        "Share of sessions ended, whatever the code",
                        "Of the sessions that were up, those that ended, per instance. All of one instance at once is a restart; a part of "
                        "all instances at once is the upstream or a load balancer.",
                        targets(
                            (
                                "%s / %s"
                                % (
                                    total(
                                        "increase(%s[$__rate_interval])" % sel("closewatch_closes_total"), "instance"
                                    ),
                                    alive("instance"),
                                ),
                                "{{instance}}",
                            )
                        ),
                        "percentunit",
                        max=1,
                    ),
                    12,
                ),
            ],
        ),
        (
            "Deploy waves",
            8,
            [
                (
                    series(
                        "Planned ends, by instance",
                        "Ends by a restart of the upstream (1001, 1012) or a drain of closewatch, per minute. One "
                        "instance after another, with sessions moving on to the next, is a rolling deploy.",
                        targets(
                            (
                                per_minute("closewatch_closes_total", 'class="planned"', "instance") + " > 0",
                                "{{instance}}",
                            )
                        ),
                        "cpm",
                        stacked=True,
                        bars=True,
                    ),
                    8,
                ),
                (
                    series(
                        "Sessions up, by instance",
                        "Open sessions of each instance. After a wave they are uneven: the instance that restarted last has the fewest.",
                        targets((now("closewatch_sessions_active", by="instance"), "{{instance}}")),
                        "short",
                        stacked=True,
                    ),
                    8,
                ),
                (
                    series(
                        "Opened, by instance",
                        "Sessions opened per minute: shows the instances that take over the sessions of a draining one.",
                        targets((per_minute("closewatch_sessions_opened_total", by="instance"), "{{instance}}")),
                        "cpm",
                        stacked=True,
                    ),
                    8,
                ),
                (
                    series(
                        "Draining, by instance",
                        "Instances that are draining.",
                        targets(("sum by (instance) (%s)" % sel("closewatch_draining", **own), "{{instance}}")),
                        "short",
                        stacked=True,
                        decimals=0,
                        custom={"lineInterpolation": "stepAfter"},
                    ),
                    8,
                ),
                (
                    series(
                        "Instances, by version",
                        "Instances of each version, during a rollout.",
                        targets(("count by (version) (%s)" % sel("closewatch_build_info", **own), "{{version}}")),
                        "short",
                        stacked=True,
                        decimals=0,
                        custom={"lineInterpolation": "stepAfter"},
                    ),
                    8,
                ),
                (
                    series(
                        "Handshakes that failed, by instance",
                        "Upgrades that never became a session, per minute.",
                        targets(
                            (
                                per_minute("closewatch_handshakes_total", 'outcome!="upgraded"', "instance"),
                                "{{instance}}",
                            )
                        ),
                        "cpm",
                        stacked=True,
                    ),
                    8,
                ),
            ],
        ),
    ]
    return dashboard(
        "closewatch-fleet",
        "closewatch / Fleet",
        "Many sidecars: which instance stands out, what a deploy did, what share of sessions was lost.",
        [source("datasource", "Data source", "prometheus"), JOB, INSTANCE, ROUTE],
        rows,
    )
