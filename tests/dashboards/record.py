#!/usr/bin/env python3
"""Records the data of the pictures: `record.py CLOSEWATCH MINUTES OUT.json`.

Plays `traffic`, then asks the Prometheus that watched it every query of every dashboard.
"""

import asyncio
import json
import re
import sys
import time
from pathlib import Path

import model
import traffic
from stage import Stage, free_port, ready, wait_for

SCRAPE, STEP, RATE_INTERVAL = 2, 5, 15
# Fractions of the whole recording: a spike is explained by the range around it, compared with the range before.
RANGES = {"explain.json": (0.35, 0.69)}


def filled(text, span):
    text = re.sub(r"\$\{?__rate_interval\}?", "%ds" % RATE_INTERVAL, text)
    text = re.sub(r"\$\{?__range_s\}?", str(span), text)
    text = re.sub(r"\$\{?__range\}?", "%ds" % span, text)
    return re.sub(r"\$\{?[a-z]\w*(:\w+)?\}?", ".+", text)


def record(prometheus, began, ended):
    out = {}
    for file, dashboard in model.dashboards().items():
        dashboard = json.loads(model.variants(dashboard, json.dumps(dashboard))[0])
        start, end = (began + part * (ended - began) for part in RANGES.get(file, (0, 1)))
        span, answers = int(end - start), {}
        for panel in model.panels(dashboard):
            for target in model.prometheus_targets(panel):
                expr = filled(target["expr"], span)
                got = prometheus.instant(expr, end) if target["instant"] else prometheus.over(expr, start, end, STEP)
                answers.setdefault(str(panel["id"]), {})[target["refId"]] = got
        for annotation in dashboard["annotations"]["list"]:
            if "target" in annotation:
                got = prometheus.over(filled(annotation["target"]["expr"], span), start, end, STEP)
                answers.setdefault("annotations", {})[annotation["name"]] = got
        out[file] = {"dashboard": dashboard, "answers": answers, "start": start, "end": end, "step": STEP}
    return out


def main():
    binary, minutes, path = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    with Stage() as stage:
        instances = [traffic.Instance(stage, binary, i, [free_port() for _ in range(3)]) for i in (1, 2, 3)]
        for instance in instances:
            instance.start()
            wait_for(instance.name, ready("http://127.0.0.1:%d/readyz" % instance.admin))
        prometheus = stage.prometheus({"closewatch": {i.name: "127.0.0.1:%d" % i.admin for i in instances}}, "%ds" % SCRAPE)
        began = time.time()
        asyncio.run(traffic.run(instances, minutes * 60, 4))
        path.write_text(json.dumps(record(prometheus, began + 20, time.time())))
        print("record: %s, %.1f MB" % (path, path.stat().st_size / 1e6))


if __name__ == "__main__":
    main()
