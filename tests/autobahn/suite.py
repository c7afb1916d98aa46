"""Runs the two halves of the Autobahn Testsuite, client and server, and reads their reports."""

import asyncio
import itertools
import json
from pathlib import Path

from children import Peer, Server

SUITE = Path(".work/autobahn/suite/venv/bin")
REPORTS = Path(".work/autobahn/reports")

# All groups but compression: framing, control frames, reserved bits, opcodes, fragmentation, UTF-8, Close, limits, and others.
CORE = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"]
# The same without the limits (messages of up to 16 MiB, and thousands of them), which take most of the time.
LIGHT = [group for group in CORE if group != "9.*"]
# permessage-deflate: one size and one content of each group.
SLICE = ["12.1.3", "12.2.5", "12.3.3", "12.4.5", "12.5.3", "13.1.1", "13.2.3", "13.3.1", "13.4.3", "13.5.1", "13.6.3", "13.7.1"]
COMPRESSION = ["12.*", "13.*"]
# Number of cases in the suite. A report with fewer cases is no result.
COUNTS = {"CORE": 301, "LIGHT": 247, "SLICE": len(SLICE), "COMPRESSION": 216}

# Fields that are compared for each case: the two verdicts, and how the suite saw the connection close.
COMPARED = ("behavior", "behaviorClose", "remoteCloseCode", "localCloseCode", "wasClean")


class Short(Exception):
    """A report is missing, or it lacks cases."""


runs = itertools.count(1)


def specification(name, cases, **rest):
    """Makes a folder for the report of one run, and the specification that the suite reads."""
    into = REPORTS / f"{next(runs):03}-{name}"
    into.mkdir(parents=True)
    spec = into / "spec.json"
    spec.write_text(json.dumps({"outdir": str(into), "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}, **rest}))
    return into, spec


def late(case):
    """The suite ended the session itself because it had waited too long: half a second in most cases, one second in others."""
    return any(step[0] in ("KLE", "TIE") for step in case["wirelog"])


def report(into, agent, count):
    """Maps each case to its verdicts, the way the connection closed, and `started` and `duration` in ms; in order of their starts."""
    try:
        index = json.loads((into / "index.json").read_text())[agent]
        cases = {case: json.loads((into / found["reportfile"]).read_text()) for case, found in index.items()}
    except (OSError, KeyError) as missing:
        raise Short(f"{into}: no report of {agent}: {missing!r}") from None
    if len(cases) != count:
        raise Short(f"{into}: {len(cases)} cases of {agent}, not {count}")
    kept = (*COMPARED, "failedByMe", "started", "duration", "resultClose")
    rows = {case: {field: found[field] for field in kept} | {"late": late(found)} for case, found in cases.items()}
    return dict(sorted(rows.items(), key=lambda row: [int(part) for part in row[0].split(".")]))


async def fuzz_server(agent, url, cases, count, limit):
    """Runs the suite as client of the server at `url`, for at most `limit` seconds. Returns its report."""
    into, spec = specification(agent, cases, servers=[{"agent": agent, "url": url}])
    with (into / "wstest.log").open("wb") as log:
        wstest = await asyncio.create_subprocess_exec(SUITE / "wstest", "-m", "fuzzingclient", "-s", spec, stdout=log, stderr=log)
        try:
            async with asyncio.timeout(limit):
                await wstest.wait()
        except TimeoutError:
            raise Short(f"{into}: not all cases have ended after {limit} s") from None
        finally:
            if wstest.returncode is None:
                wstest.kill()
                await wstest.wait()
    return report(into, agent, count)


class FuzzingServer(Server):
    """The suite as server. It prints the names of its cases in order, and writes its report when it is asked to."""

    def __init__(self, name, cases, count):
        self.into, spec = specification(name, cases, url="ws://127.0.0.1:1")
        super().__init__(name, [str(SUITE / "python"), "tests/autobahn/serve.py", str(spec)])
        self.count = count

    async def fuzz(self, agent, command, port, limit):
        """Has a client echo in every case on `port`. One case may take `limit` seconds."""
        client = Peer(agent, command)
        for case in range(1, self.count + 1):
            await client.ask(f"ws://127.0.0.1:{port}/runCase?case={case}&agent={agent}")
            await client.line(limit)
        await client.stop()

    async def reports(self, agents, command):
        """Returns the reports of the agents, once they are done."""
        client = Peer(self.name, command)
        await client.ask(f"ws://127.0.0.1:{self.port}/updateReports?agent={agents[0]}")
        await client.line()
        await client.stop()
        return [report(self.into, agent, self.count) for agent in agents]
