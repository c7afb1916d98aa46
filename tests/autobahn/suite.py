"""The Autobahn Testsuite's two halves, and what their reports say."""

import asyncio
import itertools
import json
from pathlib import Path

from children import Peer, Server

SUITE = Path(".work/autobahn/suite/venv/bin")
REPORTS = Path(".work/autobahn/reports")

# All but compression: framing, control frames, reserved bits, opcodes, fragmentation, UTF-8, Close, limits, and odd ones.
CORE = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"]
# Without the limits (messages to 16 MiB, and by the thousand), which take most of the time.
LIGHT = [group for group in CORE if group != "9.*"]
# permessage-deflate: one size and one content of each group.
SLICE = ["12.1.3", "12.2.5", "12.3.3", "12.4.5", "12.5.3", "13.1.1", "13.2.3", "13.3.1", "13.4.3", "13.5.1", "13.6.3", "13.7.1"]
COMPRESSION = ["12.*", "13.*"]
# So many there are in the suite. Fewer in a report are no result.
COUNTS = {"CORE": 301, "LIGHT": 247, "SLICE": len(SLICE), "COMPRESSION": 216}

# What is compared of each case: the two verdicts, and how the suite saw the connection close.
COMPARED = ("behavior", "behaviorClose", "remoteCloseCode", "localCloseCode", "wasClean")


class Short(Exception):
    """A report that is missing, or lacks cases: no result."""


runs = itertools.count(1)


def specification(name, cases, **rest):
    """A folder for one run's report, and the suite's specification of it."""
    into = REPORTS / f"{next(runs):03}-{name}"
    into.mkdir(parents=True)
    spec = into / "spec.json"
    spec.write_text(json.dumps({"outdir": str(into), "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}, **rest}))
    return into, spec


def late(case):
    """Whether the suite ended the session itself, when its patience was over: half a second in most cases, one in others."""
    return any(step[0] in ("KLE", "TIE") for step in case["wirelog"])


def report(into, agent, count):
    """case → (verdicts, and how the connection closed; `started` and `duration` in ms), in the order of the cases' starts."""
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
    """The suite as the client of the server at `url`; its report. `limit`: seconds it may take."""
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
    """The suite as a server: it prints the names of its cases, in their order, and reports when asked to."""

    def __init__(self, name, cases, count):
        self.into, spec = specification(name, cases, url="ws://127.0.0.1:1")
        super().__init__(name, [str(SUITE / "python"), "tests/autobahn/serve.py", str(spec)])
        self.count = count

    async def fuzz(self, agent, command, port, limit):
        """A client's echoes in every case, on `port`. `limit`: seconds that one case may take."""
        client = Peer(agent, command)
        for case in range(1, self.count + 1):
            await client.ask(f"ws://127.0.0.1:{port}/runCase?case={case}&agent={agent}")
            await client.line(limit)
        await client.stop()

    async def reports(self, agents, command):
        """The reports of the agents, which are done."""
        client = Peer(self.name, command)
        await client.ask(f"ws://127.0.0.1:{self.port}/updateReports?agent={agents[0]}")
        await client.line()
        await client.stop()
        return [report(self.into, agent, self.count) for agent in agents]
