"""A parser for as much of PromQL as our queries use: it finds their metrics, labels, functions and ranges.

Not a validator: a real Prometheus is that (live.py). What it cannot read it refuses.
"""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<range>\[[^\]]*\])|(?P<number>\d[\d.]*(?:e[+-]?\d+)?[a-z]*)"""
    r"""|(?P<variable>\$\w+|\$\{[^}]*\})|(?P<name>[A-Za-z_:][\w:]*)|(?P<op>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},@]))"""
)
GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
WORDS = {"and", "or", "unless", "offset", "bool"}


@dataclass
class Selector:
    metric: str
    matchers: list = field(default_factory=list)  # (label, operator, value)
    range: str | None = None
    function: str | None = None  # the function that is called on the selector


@dataclass
class Query:
    selectors: list
    grouped_by: list  # the labels of every `by`, in order
    labels: set  # every label named in a grouping or a matching


class NotRead(ValueError):
    pass


def tokens(text):
    at, out = 0, []
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise NotRead("cannot read %r" % text[at : at + 20])
        out.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return out


def read(text):
    stream = tokens(text)
    selectors, grouped_by, labels, calls = [], [], set(), []
    i = 0

    def peek(n=0):
        return stream[i + n] if i + n < len(stream) else (None, None)

    while i < len(stream):
        kind, value = stream[i]
        i += 1
        if kind == "name" and value in GROUPING:
            if peek() != ("op", "("):
                raise NotRead("%s without labels" % value)
            end = stream.index(("op", ")"), i)
            names = [word for kind_, word in stream[i:end] if kind_ == "name"]
            labels.update(names)
            if value == "by":
                grouped_by.append(names)
            i = end + 1
        elif kind == "name" and value in WORDS:
            pass
        elif kind == "name" and peek() == ("op", "("):
            calls.append(value)
            i += 1
        elif kind == "name" and peek() == ("name", "by"):
            # An aggregation with its labels first: `sum by (x) (…)`.
            end = stream.index(("op", ")"), i)
            names = [word for kind_, word in stream[i + 2 : end] if kind_ == "name"]
            labels.update(names)
            grouped_by.append(names)
            if stream[end + 1] != ("op", "("):
                raise NotRead("%s by (…) of nothing" % value)
            calls.append(value)
            i = end + 2
        elif kind == "name":
            selector = Selector(value)
            if peek() == ("op", "{"):
                i += 1
                while peek() != ("op", "}"):
                    (_, label), (_, operator), (is_string, string) = peek(), peek(1), peek(2)
                    if is_string != "string":
                        raise NotRead("a matcher of %s" % value)
                    selector.matchers.append((label, operator, string[1:-1]))
                    i += 3
                    if peek() == ("op", ","):
                        i += 1
                i += 1
            if peek()[0] == "range":
                selector.range = peek()[1][1:-1]
                i += 1
            selector.function = calls[-1] if calls else None
            selectors.append(selector)
        elif (kind, value) == ("op", "("):
            calls.append(None)
        elif (kind, value) == ("op", ")"):
            if not calls:
                raise NotRead("a parenthesis too many")
            calls.pop()
        elif kind == "range":
            raise NotRead("a subquery")
    if calls:
        raise NotRead("a parenthesis too few")
    return Query(selectors, grouped_by, labels)
