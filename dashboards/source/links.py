"""Links: to another dashboard, and to Explore with a query of its own."""

import json


def link_to(uid, title, **variables):
    """A data link to another dashboard, time range and variables kept."""
    kept = [name for name in ("datasource", "job", "instance", "route") if name not in variables]
    query = ["${__url_time_range}"] + ["${%s:queryparam}" % name for name in kept]
    query += ["var-%s=%s" % item for item in variables.items()]
    return {"title": title, "url": "/d/%s?%s" % (uid, "&".join(query))}


def explore(source, kind, query):
    """The address of Explore with one query. `${…}` stays as it is, the rest is percent-encoded."""
    pane = {
        "datasource": source,
        "queries": [dict(query, refId="A", datasource={"type": kind, "uid": source})],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    encode = {
        '"': "%22",
        "{": "%7B",
        "}": "%7D",
        " ": "%20",
        "|": "%7C",
        "=": "%3D",
        "+": "%2B",
        "\\": "%5C",
        "&": "%26",
    }
    out, text = "", json.dumps({"a": pane}, separators=(",", ":"))
    at = 0
    while at < len(text):
        if text.startswith("${", at):
            end = text.index("}", at) + 1
            out, at = out + text[at:end], end
        else:
            out, at = out + encode.get(text[at], text[at]), at + 1
    return "/explore?schemaVersion=1&orgId=1&panes=" + out


def close_log(where=""):
    return '{app="closewatch"} | json | event="websocket.closed"' + where


ROUTES = ' | route=~"${route:pipe}"'


EXPLAIN = "closewatch-explain"
