"""`play.py BINARY [--all]`: the Autobahn Testsuite, directly and through closewatch. Each case has to get the same verdicts, each
session has to get its record, and no case may take longer than through nginx. Writes every case of every pair to
.work/autobahn/comparison.jsonl, and exits with 1 if anything differs.
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

# Self-signed for 127.0.0.1; `run` makes them.
CERTIFICATE, KEY = ".work/autobahn/tls/certificate.pem", ".work/autobahn/tls/key.pem"

# Beast passes all cases. gorilla fails many, because it does not check UTF-8: a proxy that repaired frames would show there.
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

# Cases with an error right behind a message. The suite accepts both: the echo is still sent, or it is not. In Chromium that is a race
# between the page and the network process, with or without closewatch.
EITHER = {"chromium": {"3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"}}

# Milliseconds that a case may take longer than directly and through nginx: the median, and a bound that at most RACES cases may
# exceed, because the machine has other work. A proxy that held ends back would take a second longer in each case.
USUALLY, SELDOM = 20, 500
# Seconds that one run may take: of the core cases, and of the compression cases.
LIMIT, LIMIT_COMPRESSION = 900, 3600
# Up to RACES cases that differ are played AGAIN times. A client that gets a message and then an error may or may not echo the message,
# and does not always do the same. And on a busy machine half a second, as long as the suite waits, may be too short.
RACES, AGAIN = 5, 10


@contextlib.asynccontextmanager
async def through(binary, port, *options, scheme="http"):
    """closewatch in front of `port`. Its records are in `.records` after the block."""
    front = await Closewatch("closewatch", []).front(binary, port, *options, scheme=scheme)
    records = asyncio.create_task(front.child.stdout.read())
    try:
        yield front
    finally:
        await front.leave()
        front.records = [front.read(line) for line in (await records).splitlines()]


@contextlib.asynccontextmanager
async def running(peer):
    """Runs a child, and reads its output so that it never blocks."""
    await peer.start()
    said = asyncio.create_task(peer.child.stdout.read())
    try:
        yield peer
    finally:
        await peer.stop()
        await said


class Comparison:
    """The results so far, case by case."""

    def __init__(self):
        self.rows, self.failures, self.since = [], 0, time.monotonic()

    def fail(self, what):
        self.failures += 1
        print(f"  {what}", flush=True)

    async def add(self, pair, play, cases, count, played=None, suite="client"):
        """Adds the result of `play(cases, count)`, or `played` if it is given: the direct report, the one through closewatch, and the
        records. `suite` says which peer of closewatch the suite is."""
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
        # Sessions run one after the other, and so do their records.
        records = sorted(records, key=lambda record: record["opened_at"])
        for (case, report), record in zip(proxied.items(), records):
            differs = case in differing and case not in raced
            row = {"pair": pair, "case": case, "differs": differs, "direct": direct[case], "through": report, "record": record}
            self.rows.append(row)
            # The suite may stop reading before the peer's Close once it has failed a session.
            if (code := seen_by(suite, record)) != report["remoteCloseCode"] and not report["failedByMe"]:
                self.fail(f"{pair}, case {case}: the suite got {report['remoteCloseCode']}, the record says {code}")
        verdicts = Counter(case["behavior"] for case in direct.values())
        said = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
        now = time.monotonic()
        print(f"{pair}: {count} cases, {len(differing) - len(raced)} differ ({said}), {now - self.since:.0f} s", flush=True)
        self.since = now

    @staticmethod
    async def raced(play, differing, direct, proxied):
        """The cases that differ only by a race in a peer, or because the suite did not wait long enough.

        When they are played again, every timely outcome through closewatch also occurs directly, and the suite gives up at most once
        more often."""
        seen = [{case: [report[case]] for case in differing} for report in (direct, proxied)]
        for _ in range(AGAIN):
            for found, report in zip(seen, await play(differing, len(differing))):
                for case in differing:
                    found[case].append(report[case])
        return [case for case in differing if as_good(seen[0][case], seen[1][case])]


def as_good(direct, proxied):
    """All outcomes of one case through closewatch also occur directly."""
    lates = [sum(report["late"] for report in reports) for reports in (direct, proxied)]
    timely = [{outcome(report) for report in reports if not report["late"]} for reports in (direct, proxied)]
    if not timely[1]:
        return {outcome(report) for report in proxied} <= {outcome(report) for report in direct}
    return timely[1] <= timely[0] and lates[1] <= lates[0] + 1


def seen_by(peer, record):
    """The code that a peer was sent, in the suite's terms: None for a Close without a code, and for no Close."""
    code = record[peer]["saw"]["code"]
    return None if code in (1005, 1006) else code


def outcome(report):
    return tuple(report[name] for name in COMPARED)


async def timed(binary, found):
    """Plays the core cases with Beast directly, through nginx and through closewatch, and compares the times."""
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
    """Plays cases with the suite as client of one server."""
    async with running(Server("server", command)) as server, through(binary, server.port) as front:
        urls = {"direct": f"ws://127.0.0.1:{server.port}/echo", "closewatch": f"ws://127.0.0.1:{front.port}/echo"}
        direct, proxied = await asyncio.gather(*(fuzz_server(way, url, cases, count, limit) for way, url in urls.items()))
    return direct, proxied, front.records


async def over_tls(binary, cases, count):
    """Plays cases with the suite as client of Beast, through two closewatch that speak TLS with each other and with the suite."""
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
    """Plays cases with the suite as server of one client."""
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
