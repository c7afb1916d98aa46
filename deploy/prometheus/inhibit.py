#!/usr/bin/env python3
"""Checks the inhibition rules: `inhibit.py AMTOOL ALERTMANAGER`. amtool reads them in a whole configuration, every alert in them exists,
they are those of the Compose stack, and a real Alertmanager, on a free port of 127.0.0.1, inhibits by them what follows from a crash."""

import datetime
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHIPPED = (HERE / "inhibit_rules.yml").read_text()
RULES = re.split(r"^inhibit_rules:\n", SHIPPED, flags=re.M)[1]
CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\ninhibit_rules:\n" + RULES

# (alert, severity, route) of one incident, and what is left of it. An upstream crashes under its sessions: the page is one.
CRASH = [
    ("ClosewatchMassDisconnect", "critical", "chat"),
    ("Closewatch1006Burst", "warning", "chat"),
    ("ClosewatchAbnormalCloseBurn", "critical", "chat"),
    ("ClosewatchReconnectStorm", "critical", "chat"),
    ("ClosewatchUpgradesFailing", "critical", "chat"),
    ("ClosewatchFinding", "warning", "chat"),
    # Another route, and what no crash brings about.
    ("Closewatch1006Burst", "warning", "feed"),
    ("ClosewatchFinding", "warning", "sync"),
    ("ClosewatchIdleCut", "warning", "chat"),
    ("ClosewatchCertificateExpires", "warning", ""),
    ("ClosewatchConnectionsRejected", "critical", ""),
]
LEFT = {
    ("ClosewatchMassDisconnect", "chat"),
    ("Closewatch1006Burst", "feed"),
    ("ClosewatchFinding", "sync"),
    ("ClosewatchIdleCut", "chat"),
    ("ClosewatchCertificateExpires", ""),
    ("ClosewatchConnectionsRejected", ""),
}


def fail(message):
    sys.exit("inhibit.py: " + message)


def check_names():
    """Every alert exists, and none inhibits another that, by way of others, inhibits it."""
    alerts = set(re.findall(r"- alert: (\w+)", (HERE / "closewatch.alerts.yml").read_text()))
    named = set(re.findall(r"Closewatch\w+", RULES))
    if not named or named - alerts:
        fail("no such alerts: %s" % sorted(named - alerts))
    below = {}
    for rule in RULES.split("  - source_matchers:")[1:]:
        source, targets = rule.split("target_matchers:")
        for name in re.findall(r"Closewatch\w+", source):
            below.setdefault(name, set()).update(re.findall(r"Closewatch\w+", targets))

    def reach(name):
        found, ways = set(), list(below.get(name, ()))
        while ways:
            each = ways.pop()
            if each not in found:
                found.add(each)
                ways += below.get(each, ())
        return found

    circles = sorted(name for name in below if name in reach(name))
    if circles:
        fail("these inhibit each other: %s" % circles)
    return len(named)


def check_compose():
    compose = (HERE.parent / "compose/alertmanager.yml").read_text()
    bare = lambda text: "".join(re.sub(r"^ *#.*\n", "", text, flags=re.M).split())
    if bare(RULES) not in bare(compose):
        fail("deploy/compose/alertmanager.yml has other inhibition rules")


def request(url, body=None):
    data = json.dumps(body).encode() if body is not None else None
    made = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(made, timeout=5) as answer:
        return answer.read()


def play(alertmanager, folder, path):
    """Tells a real Alertmanager of a crash, and returns the alerts that it does not inhibit."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = "127.0.0.1:%d" % free.getsockname()[1]
    command = [alertmanager, "--config.file=%s" % path, "--storage.path=%s" % (folder / "data"), "--web.listen-address=" + url]
    process = subprocess.Popen([*command, "--cluster.listen-address=", "--log.level=error"])
    try:
        until = time.monotonic() + 20
        while True:
            try:
                request("http://%s/-/ready" % url)
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    fail("Alertmanager does not start")
                time.sleep(0.05)
        now = datetime.datetime.now(datetime.timezone.utc)
        ends = (now + datetime.timedelta(hours=1)).isoformat()
        labels = lambda name, severity, route: {"alertname": name, "severity": severity, "job": "closewatch", "route": route}
        request(
            "http://%s/api/v2/alerts" % url,
            [
                {
                    "labels": {key: value for key, value in labels(*each).items() if value},
                    "startsAt": now.isoformat(),
                    "endsAt": ends,
                }
                for each in CRASH
            ],
        )
        while True:
            got = json.loads(request("http://%s/api/v2/alerts" % url))
            left = {(a["labels"]["alertname"], a["labels"].get("route", "")) for a in got if not a["status"]["inhibitedBy"]}
            if len(got) == len(CRASH) and left == LEFT:
                return left
            if time.monotonic() > until:
                fail("not inhibited as expected: %s" % sorted(left ^ LEFT))
            time.sleep(0.1)
    finally:
        process.terminate()
        process.wait()


def main():
    amtool, alertmanager = sys.argv[1:]
    named = check_names()
    check_compose()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alertmanager.yml"
        path.write_text(CONFIG)
        done = subprocess.run([amtool, "check-config", path], capture_output=True, text=True)
        if done.returncode or "inhibit rules" not in done.stdout:
            fail("amtool: %s%s" % (done.stdout, done.stderr))
        left = play(alertmanager, Path(folder), path)
    print("inhibit.py: %d alerts in the rules; of %d of a crash, %d notify" % (named, len(CRASH), len(left)))


main()
