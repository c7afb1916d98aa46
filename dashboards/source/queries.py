"""PromQL for the panels. Every selector has the chosen jobs and instances, and most have the chosen routes."""

# The route of requests that no route takes: it has no sessions.
A_ROUTE = 'route!="none"'

# Upper edges of the buckets, as names.rs has them.
IDLE_EDGES = [14.5, 16, 29.5, 31, 59.5, 62, 99.5, 102, 119.5, 122, 299.5, 303, 349.5, 353, 599.5, 605, 3599, 3610]
LIFE_EDGES = [0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400, 259200]

# === PromQL ===


def sel(metric, extra="", route=True):
    matchers = ['job=~"$job"', 'instance=~"$instance"'] + (['route=~"$route"'] if route else [])
    return "%s{%s}" % (metric, ", ".join(matchers + ([extra] if extra else [])))


def total(expr, by=""):
    return "sum by (%s) (%s)" % (by, expr) if by else "sum(%s)" % expr


def rate(metric, extra="", by="", route=True):
    return total("rate(%s[$__rate_interval])" % sel(metric, extra, route), by)


def per_minute(metric, extra="", by="", route=True):
    return "60 * " + rate(metric, extra, by, route)


def in_range(metric, extra="", by="", route=True, before=False):
    offset = " offset $__range" if before else ""
    return total("increase(%s[$__range]%s)" % (sel(metric, extra, route), offset), by)


def now(metric, extra="", by="", route=True):
    return total(sel(metric, extra, route), by)


def quantile(q, metric, extra="", by="", route=True):
    by = "le, " + by if by else "le"
    return "histogram_quantile(%s, %s)" % (q, rate(metric + "_bucket", extra, by, route))


def alive(by="", window="$__rate_interval", route=True):
    """Sessions that were live at any moment of the window: those that ended in it, and those that are live at its end."""
    ended = total("increase(%s[%s])" % (sel("closewatch_closes_total", "", route), window), by)
    return "(%s + %s > 0)" % (now("closewatch_sessions_active", by=by, route=route), ended)


def lost(by="", extra=""):
    """Sessions lost in the time range: abnormal and not the client's doing, or cut by a box for their silence."""
    return in_range("closewatch_sessions_lost_total", extra, by)


# === Buckets ===


def le(edge):
    """A matcher for a bucket. Prometheus 3 writes whole edges with ".0"."""
    return 'le=~"%d([.]0)?"' % edge if edge == int(edge) else 'le="%g"' % edge


UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def between(low, high, only=None):
    """A range of seconds as people say it: "59.5-62 s", "1-2 min", "30-60 min". `only`: a unit, whatever the size."""
    for size, unit in UNITS:
        if only in (None, unit) and high >= 2 * size and high % size == 0 and (low % size == 0 or only):
            return "%g-%g %s" % (low / size, high / size, unit)
    return "%g-%g s" % (low, high)


def ranges(metric, edges, extra="", only=None):
    """(name, expression) of what falls between each two edges, per minute."""
    joined = lambda more: ", ".join(each for each in (extra, more) if each)
    up_to = lambda edge: per_minute(metric, joined(le(edge)))
    out = [(between(0, edges[0], only), up_to(edges[0]))]
    for low, high in zip(edges, edges[1:]):
        out.append((between(low, high, only), "%s - %s" % (up_to(high), up_to(low))))
    last = between(0, edges[-1], only).removeprefix("0-")
    return [*out, ("> " + last, "%s - %s" % (per_minute(metric, joined('le="+Inf"')), up_to(edges[-1])))]
