"""Makes a faster copy of the shipped rules: every duration is a twelfth, and nothing else changes.

`rules(text)` and `alertmanager(text)` give the same files with

- every range, offset, `for` and interval divided by FACTOR: the scrape interval is divided too, so each window holds as many samples
  as in life;
- every `rate()` divided by FACTOR: it is per second of life again, so every threshold is the shipped one;
- the edges of `session_duration_seconds` divided, and rounded up to an edge that exists; its quantiles multiplied: a session of a minute
  lasts five seconds here.

The alert on a finding is left out: diagnosis has the windows of life, so a finding would last for hours of life here.

Silence before the end is not divided, because its histogram has no edges at a twelfth: a session that is to be silent for 60 s is
silent for 60 s.
"""

import re

from model import ROOT

FACTOR = 12
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
DURATION = r"\d+(?:%s)\b" % "|".join(UNITS)
# Places of a duration: a range, an offset, a key of a rule or a group; and a key of Alertmanager's.
IN_RULES = r"(?<=\[)%s(?=\])|(?<=offset )%s|(?<=for: )%s$|(?<=interval: )%s$" % ((DURATION,) * 4)
IN_ALERTMANAGER = r"(?<=_wait: )%s|(?<=_interval: )%s" % ((DURATION,) * 2)


def shorter(duration):
    """A twelfth of a duration such as "15m", in the syntax of Prometheus."""
    value, unit = re.fullmatch(r"(\d+)(\w+)", duration).groups()
    whole, rest = divmod(int(value) * UNITS[unit], FACTOR)
    assert not rest, "%s cannot be divided by %d" % (duration, FACTOR)
    return "%dms" % whole


def divided(where, text):
    """Divides every duration that the pattern `where` finds."""
    text, count = re.subn(where, lambda match: shorter(match[0]), text, flags=re.M)
    assert count, "no durations"
    return text


def called(text, function, before, after):
    """Puts `before` and `after` around every call of `function`."""
    out, at = [], 0
    for match in re.finditer(r"(?<![\w:])%s\(" % function, text):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        assert match.start() >= at, "%s within %s" % (function, function)
        out += [text[at : match.start()], before, text[match.start() : end], after]
        at = end
    assert out, "no %s()" % function
    return "".join(out) + text[at:]


def edges():
    """The bucket edges of `session_duration_seconds`, read from the source."""
    source = (ROOT / "src/export/metrics/names.rs").read_text(encoding="utf-8")
    text = re.search(r"SESSION_DURATION_BUCKETS: &\[f64\] = &\[(.*?)\]", source, re.S)[1]
    return sorted(float(edge.replace("_", "")) for edge in re.findall(r"[\d._]+\d", text))


def edge(match):
    wanted = float(match[2]) / FACTOR
    return match[1] + "%g" % min(each for each in edges() if each >= wanted)


def rules(text):
    text = re.sub(r"^ *#.*\n", "", text, flags=re.M)
    text = re.sub(r"^  - name: closewatch\.findings\.alerts\n.*?(?=^  - name: )", "", text, flags=re.M | re.S)
    assert "ClosewatchFinding" not in text
    # A certificate expires at a time of life, in a compressed copy too.
    other = text.replace("closewatch_tls_certificate_expiry_timestamp_seconds - time()", "")
    foreign = re.findall(r"\b(?:time|timestamp|irate|deriv|predict_linear|idelta)\(", other)
    assert not foreign, "how to compress %s is not known" % foreign
    text = divided(IN_RULES, text)
    text = re.sub(r'(closewatch_session_duration_seconds_bucket\{[^}]*le=~")(\d+)', edge, text)
    if "rate(" in text:
        text = called(text, "rate", "(", " / %d)" % FACTOR)
    if "histogram_quantile(" in text:
        text = called(text, "histogram_quantile", "(", " * %d)" % FACTOR)
    return text


def alertmanager(text):
    return divided(IN_ALERTMANAGER, text)
