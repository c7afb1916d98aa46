"""Panels that more than one dashboard has."""

from .links import EXPLAIN, link_to
from .panels import (
    CAUSE_COLOURS,
    CLASS_COLOURS,
    CODE_COLOURS,
    INITIATOR_COLOURS,
    OUTCOME_COLOURS,
    PLAIN_COLOURS,
    colours,
    colours_by_prefix,
    series,
    table,
    target,
    targets,
)
from .queries import per_minute, quantile, sel

EXPLAINED = "https://github.com/closewatch/closewatch/blob/main/docs/diagnosis.md#vocabulary"
SIDES = {
    "type": "value",
    "options": {
        name: {"color": colour, "index": i, "text": name}
        for i, (name, colour) in enumerate(
            {
                "client": "blue",
                "network_client_side": "light-blue",
                "middlebox_front": "super-light-blue",
                "proxy": "purple",
                "middlebox_back": "super-light-orange",
                "network_upstream_side": "light-orange",
                "upstream": "orange",
            }.items()
        )
    },
}
GOES_ON = [
    {
        "type": "value",
        "options": {
            "0": {"color": "text", "index": 0, "text": "over"},
            "1": {"color": "red", "index": 1, "text": "goes on"},
        },
    },
    # The instance that found it was restarted, or is gone.
    {"type": "special", "options": {"match": "null", "result": {"color": "text", "index": 2, "text": "over"}}},
]


def findings():
    """The findings of diagnosis at any moment of the time range, those that go on first."""
    # A finding on several routes has the route "*".
    of = lambda metric: sel(metric, 'route=~"$route|[*]"', route=False)
    by = "route, culprit, mechanism"
    at_any_time = lambda metric: "max by (%s) (max_over_time(%s[$__range]))" % (by, of(metric))
    return table(
        "What diagnosis finds",
        "Causes that diagnosis found at any moment of the chosen time range: the mechanism, the side at fault, and at how many "
        "seconds, if that belongs to it. The sentence, the evidence and what to do are on the live page and at /diagnosis. No line is "
        "good news.",
        [
            target("max by (%s) (%s)" % (by, of("closewatch_findings")), ref="A", instant=True, fmt="table"),
            target(at_any_time("closewatch_findings") + " == 1", ref="B", instant=True, fmt="table"),
            target(at_any_time("closewatch_finding_limit_seconds"), ref="C", instant=True, fmt="table"),
        ],
        "none",
        {
            "route": ("route", {}),
            "mechanism": ("mechanism", {"links": [{"title": "What it means", "url": EXPLAINED, "targetBlank": True}]}),
            "culprit": ("at fault", {"custom__cellOptions": {"type": "color-text"}, "mappings": [SIDES]}),
            "Value #C": ("at, seconds", {"unit": "none", "decimals": 1}),
            "Value #A": ("now", {"mappings": GOES_ON, "custom__cellOptions": {"type": "color-text"}}),
        },
        "now",
        hidden=["Value #B"],
        links=[link_to(EXPLAIN, "Explain", route="${__data.fields.route}")],
    )


def ends():
    """Ends by the variable `by`."""
    every = {**CAUSE_COLOURS, **CODE_COLOURS, **INITIATOR_COLOURS, **CLASS_COLOURS}
    return series(
        "Ends",
        "Sessions that ended, per minute, by what is chosen above: class, code, cause, or the side that began the end. Of classes "
        "and codes, green is what users and operators do all day, yellow is a refusal or a breach, red is abnormal or overload. 1005 and 1006 were "
        "never on the wire: 1005 is a Close without a code, 1006 no Close at all.",
        targets((per_minute("closewatch_closes_total", by="$by") + " > 0", "{{$by}}")),
        "cpm",
        stacked=True,
        bars=True,
        overrides=colours(every),
        links=[link_to(EXPLAIN, "Explain")],
    )


def ends_by_class():
    return series(
        "Ends by class",
        "Sessions that ended, per minute. Red is abnormal: 1006, 1011, 1014. Green is what users do all day, dark green what "
        "operators do: restarts, drains, idle limits.",
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
        "Upgrades that never became a session, per minute, by outcome and the status the client was given: orange the upstream's, "
        "blue the client's, purple closewatch's. A browser reports each of them as 1006 too: if this rises and the ends do not, look at the "
        "upstream's answers, not at closures.",
        targets(
            (
                per_minute("closewatch_handshakes_total", 'outcome!="upgraded"', "outcome, status") + " > 0",
                "{{outcome}} {{status}}",
            )
        ),
        "cpm",
        stacked=True,
        bars=True,
        overrides=colours_by_prefix(OUTCOME_COLOURS),
    )


def time_away():
    return series(
        "Time until clients are back",
        "From the end of a session to the next one of the same client, by the class of that end: half took less. Fractions of a "
        "second everywhere are clients without back-off.",
        targets((quantile(0.5, "closewatch_reconnect_seconds", by="class"), "{{class}}")),
        "s",
        log=True,
        overrides=colours(CLASS_COLOURS),
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
        overrides=colours(PLAIN_COLOURS),
    )
