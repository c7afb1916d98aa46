"""`play.py BINARY [--all]`: the Autobahn Testsuite, directly and through closewatch. Each case has to get the same verdicts,
each session its record, and the suite must not take longer than nginx makes it. Writes every case of every pair to
.work/autobahn/comparison.jsonl, exits with 1 over any difference.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from pathlib import Path

from children import Closewatch, Server
from nginx import Nginx
from suite import COMPARED, COMPRESSION, CORE, COUNTS, LIGHT, SLICE, FuzzingServer, Short, fuzz_server

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

# Seconds that the suite may take beyond what it takes through nginx, or directly if that took longer. A proxy that holds an
# end back by a second a case takes five minutes.
SLACK = 10
# Seconds that one run of the core cases may take at all, and one of all that are of compression.
LIMIT, LIMIT_COMPRESSION = 300, 3600


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
        print(f"  {what}")

    def add(self, pair, direct, proxied, records):
        """Two reports of one pair, and the records of the second: in the order of the sessions, one each."""
        if direct.keys() != proxied.keys():
            self.fail(f"{pair}: not the same cases")
        if len(records) != len(proxied):
            self.fail(f"{pair}: {len(records)} records of {len(proxied)} sessions")
        records = sorted(records, key=lambda record: record["opened_at"])
        differing = 0
        for (case, ours), record in zip(proxied.items(), records):
            theirs = direct[case]
            found = [name for name in COMPARED if ours[name] != theirs[name]]
            differing += bool(found)
            for name in found:
                self.fail(f"{pair}, case {case}: {name}: {ours[name]}, directly {theirs[name]}")
            self.rows.append({"pair": pair, "case": case, "differs": found, "direct": theirs, "through": ours, "record": record})
        verdicts = Counter(case["behavior"] for case in direct.values())
        said = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
        now = time.monotonic()
        print(f"{pair}: {len(proxied)} cases, {differing} differ ({said}), {now - self.since:.0f} s", flush=True)
        self.since = now


async def timed(report):
    began = time.monotonic()
    return await report, time.monotonic() - began


async def servers_fuzzed(binary, found):
    """The core cases, with the suite as client: what passes all, one after the other as they are timed, and what fails many."""
    async with running(Server("beast", BEAST)) as beast, through(binary, beast.port) as front, Nginx(beast.port) as nginx:
        ports = {"direct": beast.port, "nginx": nginx.port, "closewatch": front.port}
        reports, seconds = {}, {}
        for way, port in ports.items():
            report = fuzz_server(f"beast-{way}", f"ws://127.0.0.1:{port}/echo", CORE, COUNTS["CORE"], LIMIT)
            reports[way], seconds[way] = await timed(report)
    found.add("suite → Beast", reports["direct"], reports["closewatch"], front.records)
    print("  took " + ", ".join(f"{took:.1f} s {way}" for way, took in seconds.items()))
    if seconds["closewatch"] > max(seconds["direct"], seconds["nginx"]) + SLACK:
        found.fail(f"suite → Beast: {seconds['closewatch']:.1f} s is longer than nginx's by more than {SLACK} s")
    await over_tls(binary, found, reports["direct"])
    await server_fuzzed(binary, found, "gorilla", GORILLA, CORE, COUNTS["CORE"], LIMIT)


async def over_tls(binary, found, direct):
    """The same over TLS on both legs: of one closewatch in front, of another behind it."""
    ours = ("--tls-cert", CERTIFICATE, "--tls-key", KEY)
    async with (
        running(Server("beast", BEAST)) as beast,
        through(binary, beast.port, *ours) as behind,
        through(binary, behind.port, *ours, "--upstream-ca", CERTIFICATE, scheme="https") as front,
    ):
        proxied = await fuzz_server("beast-tls", f"wss://127.0.0.1:{front.port}/echo", CORE, COUNTS["CORE"], LIMIT)
    found.add("suite → TLS → TLS → Beast", direct, proxied, front.records)
    if len(behind.records) != len(proxied):
        found.fail(f"suite → TLS → TLS → Beast: {len(behind.records)} records behind")


async def server_fuzzed(binary, found, name, command, cases, count, limit):
    async with running(Server(name, command)) as server, through(binary, server.port) as front:
        direct, proxied = await asyncio.gather(*(
            fuzz_server(f"{name}-{way}-{count}", f"ws://127.0.0.1:{port}/echo", cases, count, limit)
            for way, port in (("direct", server.port), ("closewatch", front.port))
        ))
    found.add(f"suite → {name}, {count}", direct, proxied, front.records)


async def client_fuzzed(binary, found, name, cases, count):
    """One client's echoes for the suite as server."""
    command, agents = CLIENTS[name], [f"{name}-direct", f"{name}-closewatch"]
    async with running(FuzzingServer(f"suite-{name}-{count}", cases, count)) as suite:
        async with through(binary, suite.port) as front:
            ports = (suite.port, front.port)
            await asyncio.gather(*(suite.fuzz(agent, command, port, LIMIT) for agent, port in zip(agents, ports)))
        direct, proxied = await suite.reports(agents, command)
    found.add(f"{name} → suite, {count}", direct, proxied, front.records)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    found, began = Comparison(), time.monotonic()
    compression = (COMPRESSION, COUNTS["COMPRESSION"], LIMIT_COMPRESSION) if options.all else (SLICE, COUNTS["SLICE"], LIMIT)
    core = (CORE, COUNTS["CORE"]) if options.all else (LIGHT, COUNTS["LIGHT"])
    try:
        await servers_fuzzed(options.binary, found)
        for client in CLIENTS:
            await client_fuzzed(options.binary, found, client, *core)
        await server_fuzzed(options.binary, found, "Beast", BEAST, *compression)
        await client_fuzzed(options.binary, found, "ws", *compression[:2])
    except Short as short:
        found.fail(str(short))
    COMPARISON.parent.mkdir(parents=True, exist_ok=True)
    COMPARISON.write_text("".join(json.dumps(row) + "\n" for row in found.rows))
    print(f"{len(found.rows)} cases, each directly and through closewatch: {found.failures} differences, "
          f"{time.monotonic() - began:.0f} s; {COMPARISON}")
    sys.exit(1 if found.failures else 0)


asyncio.run(main())
