"""PromQL for the panels. Every selector has the chosen jobs and instances, and most have the chosen routes."""

# Sessions that count as lost, here and in the alerts: abnormal, not begun by the client, and not a server's Close to a client that died.
LOST = 'class="abnormal", initiator!="client", cause!="client_unresponsive"'

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
