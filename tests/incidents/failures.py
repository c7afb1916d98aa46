"""Incidents of which somebody has to know."""

import asyncio

from scene import Backend, Hop, Incident, blinds, closes, dies
from stage import free_port


class CrashLoop(Incident):
    title = "Backend crash loop"
    quick = True
    expected = {
        "MassDisconnect": 1,
        "1006Burst": 1,
        "AbnormalCloseBurn 1h": 5,
        "UpstreamUnreachable": 8,
    }

    async def story(self):
        await self.at(self.start)
        self.begins()
        for _ in range(10):
            self.backends[0].shut()
            self.backends[0].all(dies)
            await asyncio.sleep(2.5)
            await self.backends[0].open()
            await asyncio.sleep(12.5)


class BrokenRelease(Incident):
    title = "Release that ends every session with 1011, once"
    expected = {"MassDisconnect": 1, "1011Burst": 1, "AbnormalCloseBurn 1h": 5}

    async def story(self):
        await self.at(self.start)
        self.begins()
        self.backends[0].all(closes(1011, "unhandled exception"))


class IdleCutBefore(Incident):
    title = "Load balancer before closewatch cuts after 60 s of silence"
    expected = {"IdleCut 60s": 30}
    clients = 40

    async def prepare(self):
        self.hop = Hop(free_port(), self.closewatches[0].front, 60.2)
        await self.hop.open()

    def before(self):
        return [self.hop.port]

    async def story(self):
        # The first of them is cut as the incident begins.
        await self.at(self.start - 60)
        self.come(60, life=(600, 600), speaks=None, first=(0, 50))
        await self.at(self.start)
        self.begins()


class IdleCutBehind(IdleCutBefore):
    title = "Load balancer behind closewatch cuts after 60 s of silence"
    expected = {"IdleCut 60s": 30, "AbnormalCloseBurn 1h": 15}

    def behind(self, backend):
        self.hop = Hop(free_port(), backend.port, 60.2)
        return self.hop.port

    async def prepare(self):
        await self.hop.open()

    def before(self):
        return [each.front for each in self.closewatches]


class ReconnectStorm(Incident):
    title = "Reconnect storm: after a deploy the upstream sheds (1013), and clients come back at once"
    expected = {"ReconnectStorm": 12, "OverloadCloses": 15}
    habits = {"pause": (0.3, 0.9)}

    async def story(self):
        # It is measured against the level of an hour before.
        await self.at(self.start + 255)
        self.begins()
        self.backends[0].faults.append(("/", 0.2, closes(1013, "try again later")))
        self.backends[0].all(closes(1012))


class SlowUpstream(Incident):
    title = "Slow upstream: upgrades are answered after the limit"
    expected = {"UpgradesFailing": 12}
    clients = 50

    async def story(self):
        self.come(50, patience=1)
        await self.at(self.start)
        self.begins()
        self.backends[0].delay = 3


class Misbehaving(Incident):
    title = "Release that breaks the protocol: 1002, 1008, no frames"
    expected = {"PolicyCloses": 25, "ProtocolCloses": 25, "BlindTaps": 15}
    clients = 60

    async def story(self):
        for path in ("/policy", "/protocol", "/blind"):
            self.come(10, path=path)
        await self.at(self.start)
        self.begins()
        self.backends[0].faults += [
            ("/policy", 2, closes(1008, "rate limit")),
            ("/protocol", 2, closes(1002)),
            ("/blind", 2, blinds),
        ]


class Refusing(Incident):
    title = "Authentication fails: upgrades are refused with 403"
    expected = {"UpgradesRefused": 25}

    async def story(self):
        await self.at(self.start)
        self.begins()
        self.backends[0].status = "403 Forbidden"


class OverLimit(Incident):
    title = "More clients than limits.sessions"
    expected = {"OverLimit": 10}
    clients, sessions = 60, 80

    async def story(self):
        await self.at(self.start)
        self.begins()
        self.come(60)


class Gone(Incident):
    title = "closewatch is killed, and stays away"
    expected = {"Down": 8, "InstanceDown": 8}
    clients = 30

    async def story(self):
        await self.at(self.start)
        self.begins()
        await asyncio.to_thread(self.closewatches[0].kill)


class ClosewatchCrashLoop(Incident):
    title = "closewatch is killed five times"
    expected = {"Restarting": 15, "Crashed": 10}
    clients = 30

    async def story(self):
        await self.at(self.start)
        self.begins()
        for _ in range(5):
            await asyncio.to_thread(self.closewatches[0].kill)
            await asyncio.to_thread(self.closewatches[0].start)
            await asyncio.sleep(10)


ALL = [
    CrashLoop,
    BrokenRelease,
    IdleCutBefore,
    IdleCutBehind,
    ReconnectStorm,
    SlowUpstream,
    Misbehaving,
    Refusing,
    OverLimit,
    Gone,
    ClosewatchCrashLoop,
]
