"""Panels that more than one dashboard has."""

from .links import EXPLAIN, link_to
from .panels import CLASS_COLOURS, colours, series, targets
from .queries import per_minute, quantile


def ends_by_class():
    return series(
        "Ends by class",
        "Sessions that ended, per minute. Red is abnormal: 1006, 1011, 1014. Blue was planned (restarts, drains, idle limits); "
        "green is what users do all day.",
        targets((per_minute("closewatch_closes_total", by="class") + " > 0", "{{class}}")),
        "cpm",
        stacked=True,
        bars=True,
        overrides=colours(CLASS_COLOURS),
        links=[link_to(EXPLAIN, "Explain")],
    )


def failed_handshakes():
    return series(
        "Handshakes that failed",
        "Upgrades that never became a session, per minute, by outcome and the status the client was given. A browser reports "
        "each of them as 1006 too: if this rises and the ends do not, look at the upstream's answers, not at closures.",
        targets(
            (
                per_minute("closewatch_handshakes_total", 'outcome!="upgraded"', "outcome, status") + " > 0",
                "{{outcome}} {{status}}",
            )
        ),
        "cpm",
        stacked=True,
        bars=True,
        color={"mode": "shades", "fixedColor": "orange"},
    )


def lifetimes():
    return series(
        "Lifetime of ended sessions",
        "How long sessions had been up when they ended. Only ended ones are counted, so long-lived ones are seen late. A median "
        "of seconds is flapping: clients reconnect as fast as they are thrown out.",
        targets(
            *(
                (quantile(q, "closewatch_session_duration_seconds"), name)
                for q, name in ((0.5, "median"), (0.9, "90 %"), (0.99, "99 %"))
            )
        ),
        "s",
        log=True,
    )
