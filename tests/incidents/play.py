#!/usr/bin/env python3
"""Plays the incidents: `play.py CLOSEWATCH [--quick] [--write] [NAME…]`. tests/incidents/run installs what it needs."""

import argparse
import asyncio
import sys
import time

import compress
import data
import failures
import model
import quiet
from stage import Stage
from watch import Verdict, Watch, key, known

SCRAPE = "1250ms"
# Seconds of the run: the start of the incidents, and the end.
START, END = 60, 405
QUICK_START, QUICK_END = 15, 50
MARK = "<!-- tests/incidents/run --write -->\n"


def compressed(stage):
    """Writes the faster copy of the shipped rules into files."""
    out = []
    for name in ("rules", "alerts"):
        path = stage.folder / ("closewatch.%s.yml" % name)
        shipped = model.ROOT / "deploy/prometheus" / path.name
        path.write_text(compress.rules(shipped.read_text(encoding="utf-8")))
        out.append(path)
    return out


async def play(incidents, watch, end):
    """Plays all incidents at the same time."""
    loop = asyncio.get_running_loop()
    zero = loop.time()
    looking = asyncio.create_task(watch.look(lambda: loop.time() - zero))
    playing = [each.run(each.play(zero)) for each in incidents]
    while (left := zero + end - loop.time()) > 0:
        done, _ = await asyncio.wait([*playing, looking], timeout=min(left, 5), return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        playing = [task for task in playing if not task.done()]
        if not playing:
            await asyncio.wait([looking], timeout=min(5, max(0, zero + end - loop.time())))
    looking.cancel()
    for each in incidents:
        await each.end()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("closewatch")
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--write", action="store_true", help="the table into docs/incidents.md")
    arguments.add_argument("names", nargs="*")
    arguments = arguments.parse_intermixed_args()
    if arguments.write and (arguments.quick or arguments.names):
        sys.exit("incidents: only the whole table is written")

    began = time.time()
    start, end = (QUICK_START, QUICK_END) if arguments.quick else (START, END)
    with Stage() as stage:
        kinds = [kind for kind in failures.ALL + quiet.ALL if kind.quick or not arguments.quick or arguments.names]
        incidents = [kind(stage, arguments.closewatch, start) for kind in kinds]
        if arguments.names:
            incidents = [each for each in incidents if each.name in arguments.names] or sys.exit("no such incident")
        shipped = (model.ROOT / "deploy/compose/alertmanager.yml").read_text(encoding="utf-8")
        alertmanager = stage.alertmanager(compress.alertmanager(shipped))
        rules, lookback = compressed(stage), compress.shorter("5m")
        for each in incidents:
            for closewatch in each.closewatches:
                closewatch.start()

        def prometheus(name, of):
            jobs = {each.name: each.targets for each in of}
            return stage.prometheus(jobs, SCRAPE, name, rules, alertmanager, lookback)

        shared = [each for each in incidents if not each.own_prometheus]
        observer = prometheus("prometheus", shared) if shared else None
        for each in incidents:
            each.prometheus = prometheus(each.name + "-prometheus", [each]) if each.own_prometheus else observer
        watch = Watch(alertmanager)
        print("incidents: %d, for %d s, %g times as fast as life" % (len(incidents), end, compress.FACTOR), flush=True)
        asyncio.run(play(incidents, watch, end))

        verdict = Verdict(incidents, watch, end)
        for each in incidents:
            # An incident that fires nothing has to prove that it happened.
            if each.evidence and not each.happened(each.prometheus, time.time(), int(end)):
                verdict.fail("%s: it did not happen: not %s" % (each.name, each.evidence))
        alerts = {key({"alertname": name, **labels}) for kind, name, labels in data.rules(stage.folder) if kind == "alert"}
        table = verdict.table(alerts)
        print(table)
        if not arguments.quick and not arguments.names:
            whole(verdict, alerts, observer, end)
        if arguments.write and not verdict.failures:
            write(table)
        pages = sum(severity == "critical" for _, _, severity in watch.first)
        print(
            "incidents: %d; %d alerts, %d of them pages; %d false pages; %d s"
            % (len(incidents), len(watch.first), pages, verdict.false_pages, time.time() - began)
        )
        if verdict.failures:
            sys.exit("incidents: %d differences" % verdict.failures)


def whole(verdict, alerts, observer, span):
    """Checks that every alert, record and panel has been seen in one of the incidents."""
    fired = {known(alert, alerts) for _, alert, _ in verdict.watch.first}
    for alert in sorted(alerts - fired - set(data.SILENT)):
        verdict.fail("%s fired in no incident" % alert)
    for alert in sorted(fired & set(data.SILENT)):
        verdict.fail("%s was not expected to fire in any" % alert)
    now = time.time()
    records, of_records = data.records_without_data(observer, now, span)
    panels, of_panels = data.panels(observer, now, span, "5s")
    for each in records:
        verdict.fail("no data: the record %s" % each)
    for each in panels:
        verdict.fail(each)
    for what, why in {**data.SILENT, **data.EMPTY_RECORDS, **data.EMPTY_PANELS}.items():
        print("incidents: silent or empty, as expected: %s: %s" % (what, why))
    print(
        "incidents: %d of %d records and %d of %d queries of panels without data that should have it"
        % (len(records), of_records, len(panels), of_panels)
    )


def write(table):
    """Writes the table into docs/incidents.md."""
    path = model.ROOT / "docs/incidents.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(MARK)
    _, end, after = rest.partition("<!-- end -->")
    assert end, "%s has no place for the table" % path
    path.write_text(before + MARK + table + "\n" + end + after, encoding="utf-8")


if __name__ == "__main__":
    main()
