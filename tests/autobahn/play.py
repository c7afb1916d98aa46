"""`play.py BINARY [--all]`: the Autobahn Testsuite, directly and through closewatch. Each case has to get the same verdicts,
each session its record, and the suite must not take longer than nginx makes it. Writes every case of every pair to
.work/autobahn/comparison.jsonl, exits with 1 over any difference.
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from statistics import median

from children import Closewatch, Server
from nginx import Nginx
from suite import COMPARED, COMPRESSION, CORE, COUNTS, LIGHT, REPORTS, SLICE, FuzzingServer, Short, fuzz_server

COMPARISON = Path(".work/autobahn/comparison.jsonl")
PYTHON = ".work/python/bin/python"
BUN = ".work/node/node_modules/@oven/bun-linux-*/bin/bun"

# For 127.0.0.1, signed by itself; run makes them.
CERTIFICATE, KEY = ".work/autobahn/tls/certificate.pem", ".work/autobahn/tls/key.pem"

# It passes all cases; it fails many, for it does not look into UTF-8: what a proxy that mends frames would change.
BEAST = [".work/beast/server"]
GORILLA = [".work/gorilla/peer", "server"]
CLIENTS = {
    "ws": ["node", "tests/autobahn/echo.mjs", "ws"],
    "undici": ["node", "tests/autobahn/echo.mjs", "undici"],
    "chromium": ["node", "tests/autobahn/echo.mjs", "chromium"],
    "bun": [BUN, "tests/autobahn/echo.mjs", "bun"],
    "websockets": [PYTHON, "tests/autobahn/echo.py", "websockets"],
    "aiohttp": [PYTHON, "tests/autobahn/echo.py", "aiohttp"],
}

# Cases of a message with an error close behind it: whether the echo still leaves, the suite leaves to the client. In Chromium it is
# a race of the page with the network's process, directly as well.
EITHER = {"chromium": {"3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"}}

# How much longer than directly and through nginx, in milliseconds: the usual case, and one of which at most RACES may be, as the
# machine has other work. A proxy that holds ends back takes a second more in each.
USUALLY, SELDOM = 20, 500
# Seconds that one run of the core cases may take at all, and one of all that are of compression.
LIMIT, LIMIT_COMPRESSION = 900, 3600
# So many cases that differ are played so many times again: a client that is sent a message and then an error may come to echo
# the message, or not, and does not always do the same; and on a busy machine the suite's patience of half a second may end.
RACES, AGAIN = 5, 10


@contextlib.asynccontextmanager
async def through(binary, port, *options, scheme="http"):
    """closewatch in front of `port`; what it records is in `.records` behind the block."""
    front = await Closewatch("closewatch", []).front(binary, port, *options, scheme=scheme)
    records = asyncio.create_task(front.child.stdout.read())
    try:
        yield front
    finally:
        await front.leave()
        front.records = [json.loads(line) for line in (await records).splitlines()]


@contextlib.asynccontextmanager
async def running(peer):
    """A child, and somebody who reads what it says."""
    await peer.start()
    said = asyncio.create_task(peer.child.stdout.read())
    try:
        yield peer
    finally:
        await peer.stop()
        await said


class Comparison:
    """What was found so far, case by case."""

    def __init__(self):
        self.rows, self.failures, self.since = [], 0, time.monotonic()

    def fail(self, what):
        self.failures += 1
        print(f"  {what}", flush=True)

    async def add(self, pair, play, cases, count, played=None, suite="client"):
        """What `play(cases, count)` gives (or `played`, if it has): the report directly, that through closewatch, the records.
        `suite`: which peer of closewatch it is."""
        direct, proxied, records = played or await play(cases, count)
        if direct.keys() != proxied.keys():
            raise Short(f"{pair}: not the same cases")
        if len(records) != len(proxied):
            self.fail(f"{pair}: {len(records)} records of {len(proxied)} sessions")
        differing = [case for case in direct if outcome(direct[case]) != outcome(proxied[case])]
        raced = await self.raced(play, differing, direct, proxied) if 0 < len(differing) <= RACES else []
        for case in differing:
            what = f"{pair}, case {case}: {outcome(proxied[case])}, directly {outcome(direct[case])}"
            if case in raced:
                print(f"  {what}; asked again, no more of that than directly", flush=True)
            else:
                self.fail(what)
        # Sessions come one after the other, and so do their records.
        records = sorted(records, key=lambda record: record["opened_at"])
        for (case, report), record in zip(proxied.items(), records):
            differs = case in differing and case not in raced
            row = {"pair": pair, "case": case, "differs": differs, "direct": direct[case], "through": report, "record": record}
            self.rows.append(row)
            # A suite that has failed a session need not read on to the peer's Close.
            if (code := seen_by(suite, record)) != report["remoteCloseCode"] and not report["failedByMe"]:
                self.fail(f"{pair}, case {case}: the suite got {report['remoteCloseCode']}, the record says {code}")
        verdicts = Counter(case["behavior"] for case in direct.values())
        said = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
        now = time.monotonic()
        print(f"{pair}: {count} cases, {len(differing) - len(raced)} differ ({said}), {now - self.since:.0f} s", flush=True)
        self.since = now

    @staticmethod
    async def raced(play, differing, direct, proxied):
        """Which of these cases differ by a race of a peer, or by the suite's patience: asked again, all that is seen through
        closewatch in time is seen directly as well, and the suite's patience does not end oftener, but for once."""
        seen = [{case: [report[case]] for case in differing} for report in (direct, proxied)]
        for _ in range(AGAIN):
            for found, report in zip(seen, await play(differing, len(differing))):
                for case in differing:
                    found[case].append(report[case])
        return [case for case in differing if as_good(seen[0][case], seen[1][case])]


def as_good(direct, proxied):
    """Whether reports of one case through closewatch are such as come of it directly."""
    lates = [sum(report["late"] for report in reports) for reports in (direct, proxied)]
    timely = [{outcome(report) for report in reports if not report["late"]} for reports in (direct, proxied)]
    if not timely[1]:
        return {outcome(report) for report in proxied} <= {outcome(report) for report in direct}
    return timely[1] <= timely[0] and lates[1] <= lates[0] + 1


def seen_by(peer, record):
    """The code that a peer was sent, as the suite tells it: None for a Close without one, and for no Close."""
    code = record[peer]["saw"]["code"]
    return None if code in (1005, 1006) else code


def outcome(report):
    return tuple(report[name] for name in COMPARED)


async def timed(binary, found):
    """The core cases with Beast, one way after the other: the reports and records, with the seconds compared."""
    async with running(Server("beast", BEAST)) as beast, through(binary, beast.port) as front, Nginx(beast.port) as nginx:
        ports = {"direct": beast.port, "nginx": nginx.port, "closewatch": front.port}
        reports, seconds = {}, {}
        for way, port in ports.items():
            began = time.monotonic()
            reports[way] = await fuzz_server(f"beast-{way}", f"ws://127.0.0.1:{port}/echo", CORE, COUNTS["CORE"], LIMIT)
            seconds[way] = time.monotonic() - began
    print("suite → Beast: " + ", ".join(f"{took:.1f} s {way}" for way, took in seconds.items()), flush=True)
    duration = {way: [case["duration"] for case in report.values()] for way, report in reports.items()}
    slowest = [max(both) for both in zip(duration["direct"], duration["nginx"])]
    usual = median(ours - other for ours, other in zip(duration["closewatch"], slowest))
    held = sum(ours > 2 * other + SELDOM for ours, other in zip(duration["closewatch"], slowest))
    if usual > USUALLY or held > RACES:
        found.fail(f"a case usually takes {usual} ms longer than nginx makes it, and {held} take {SELDOM} ms longer")
    return reports["direct"], reports["closewatch"], front.records


async def with_server(binary, command, limit, cases, count):
    """The suite as client of one server."""
    async with running(Server("server", command)) as server, through(binary, server.port) as front:
        urls = {"direct": f"ws://127.0.0.1:{server.port}/echo", "closewatch": f"ws://127.0.0.1:{front.port}/echo"}
        direct, proxied = await asyncio.gather(*(fuzz_server(way, url, cases, count, limit) for way, url in urls.items()))
    return direct, proxied, front.records


async def over_tls(binary, cases, count):
    """The suite as client of Beast, over TLS on both legs: of one closewatch in front, of another behind it."""
    ours = ("--tls-cert", CERTIFICATE, "--tls-key", KEY)
    async with (
        running(Server("beast", BEAST)) as beast,
        through(binary, beast.port, *ours) as behind,
        through(binary, behind.port, *ours, "--upstream-ca", CERTIFICATE, scheme="https") as front,
    ):
        urls = {"direct": f"ws://127.0.0.1:{beast.port}/echo", "tls": f"wss://127.0.0.1:{front.port}/echo"}
        direct, proxied = await asyncio.gather(*(fuzz_server(way, url, cases, count, LIMIT) for way, url in urls.items()))
    return direct, proxied, front.records


async def with_client(binary, name, cases, count):
    """The suite as server of one client."""
    command, agents = CLIENTS[name], [f"{name}-direct", f"{name}-closewatch"]
    async with running(FuzzingServer(name, cases, count)) as suite:
        async with through(binary, suite.port) as front:
            ports = (suite.port, front.port)
            await asyncio.gather(*(suite.fuzz(agent, command, port, LIMIT) for agent, port in zip(agents, ports)))
        direct, proxied = await suite.reports(agents, command)
    for report in (direct, proxied):
        for case in EITHER.get(name, set()) & report.keys():
            if report[case]["behavior"] in ("OK", "NON-STRICT"):
                report[case]["behavior"] = "OK or NON-STRICT"
    return direct, proxied, front.records


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    shutil.rmtree(REPORTS, ignore_errors=True)
    found, began = Comparison(), time.monotonic()
    beast, gorilla = partial(with_server, options.binary, BEAST), partial(with_server, options.binary, GORILLA, LIMIT)
    core, light = (CORE, COUNTS["CORE"]), (LIGHT, COUNTS["LIGHT"])
    compression = (COMPRESSION, COUNTS["COMPRESSION"]) if options.all else (SLICE, COUNTS["SLICE"])
    try:
        await found.add("suite → Beast", partial(beast, LIMIT), *core, await timed(options.binary, found))
        await found.add("suite → gorilla", gorilla, *core)
        await found.add("suite → TLS → TLS → Beast", partial(over_tls, options.binary), *core)
        for client in CLIENTS:
            play = partial(with_client, options.binary, client)
            await found.add(f"{client} → suite", play, *(core if options.all else light), suite="upstream")
        await found.add("suite → Beast, compressed", partial(beast, LIMIT_COMPRESSION), *compression)
        await found.add("ws → suite, compressed", partial(with_client, options.binary, "ws"), *compression, suite="upstream")
    except Short as short:
        found.fail(str(short))
    COMPARISON.parent.mkdir(parents=True, exist_ok=True)
    COMPARISON.write_text("".join(json.dumps(row) + "\n" for row in found.rows))
    print(f"{len(found.rows)} cases, each directly and through closewatch: {found.failures} differences, "
          f"{time.monotonic() - began:.0f} s; {COMPARISON}")
    sys.exit(1 if found.failures else 0)


asyncio.run(main())
