"""Incidents that have to fire an alert."""

import asyncio
import contextlib

from scene import Hop, Incident, blinds, closes, dies
from stage import free_port


class CrashLoop(Incident):
    title = "Backend crash loop"
    quick = True
    expected = {
        "MassDisconnect": 1,
        "1006Burst": 1,
        "AbnormalCloseBurn 1h": 6,
        "UpstreamUnreachable": 9,
        "AbnormalClosesPerSessionHour": 20,
        "AbnormalCloseBurn 6h": 20,
        "AbnormalCloseBurn 1d": 66,
    }
    clients = 100

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
    expected = {
        "MassDisconnect": 1,
        "1011Burst": 1,
        "AbnormalCloseBurn 1h": 6,
        "AbnormalClosesPerSessionHour": 20,
        "AbnormalCloseBurn 6h": 20,
        "AbnormalCloseBurn 1d": 66,
    }
    clients = 100

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
        # The first of them is cut when the incident begins.
        await self.at(self.start - 60)
        self.come(60, life=(600, 600), speaks=None, first=(0, 50))
        await self.at(self.start)
        self.begins()


class IdleCutBehind(IdleCutBefore):
    title = "Load balancer behind closewatch cuts after 60 s of silence"
    expected = {
        "AbnormalCloseBurn 1h": 12,
        "AbnormalClosesPerSessionHour": 24,
        "AbnormalCloseBurn 6h": 24,
        "IdleCut 60s": 30,
        "AbnormalCloseBurn 1d": 66,
    }

    def behind(self, backend):
        self.hop = Hop(free_port(), backend.port, 60.2)
        return self.hop.port

    async def prepare(self):
        await self.hop.open()

    def before(self):
        return [each.front for each in self.closewatches]


class ReconnectStorm(Incident):
    title = "Reconnect storm: after a deploy the upstream sheds (1013), and clients come back at once"
    expected = {"ReconnectStorm": 14, "OverloadCloses": 16}
    habits = {"pause": (0.6, 1.4)}

    async def story(self):
        # The alert compares with the level of an hour before.
        await self.at(self.start + 255)
        self.begins()
        self.backends[0].faults.append(("/", 0.2, closes(1013, "try again later")))
        self.backends[0].all(closes(1012))
        # Together with the clients that were on other instances before.
        self.come(140, first=(0, 2), **self.habits)


class SlowUpstream(Incident):
    title = "Slow upstream: upgrades are answered after the limit"
    expected = {"UpgradesFailing": 12, "ClientsGiveUp": 25}
    clients = 40

    async def story(self):
        self.come(40, patience=1)
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
    clients = 60
    options = {"sessions": 80}

    async def story(self):
        await self.at(self.start)
        self.begins()
        self.come(60)


class OutOfDescriptors(Incident):
    title = "More connections than descriptors: for some there is none left to dial with"
    expected = {"ConnectionsRejected": 10, "UpstreamUnreachable": 15}
    clients = 40
    options = {"descriptors": 160}

    async def story(self):
        await self.at(self.start)
        self.begins()
        self.come(80, patience=5)


class DiskFull(Incident):
    title = "No space for the close log"
    expected = {"RecordsDropped": 4}
    clients = 0
    options = {"closes": "/dev/full"}

    async def story(self):
        await self.at(self.start)
        self.begins()
        self.come(40, first=(0, 1), life=(1, 20))


class UpstreamRestarts(Incident):
    title = "Upstream that restarts every minute and a half, and says so (1012)"
    expected = {"PlannedOutsideDeploy": 66}

    async def story(self):
        await self.at(self.start)
        self.begins()
        while True:
            self.backends[0].all(closes(1012))
            await asyncio.sleep(7.5)


class Scanner(Incident):
    title = "Scanner: upgrades without a key"
    expected = {"UpgradesInvalid": 45}
    clients = 40

    async def story(self):
        await self.at(self.start)
        self.begins()
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.before()[0])
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                await reader.read(4096)
                writer.close()
            await asyncio.sleep(0.3)


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
    OutOfDescriptors,
    DiskFull,
    UpstreamRestarts,
    Scanner,
    Gone,
    ClosewatchCrashLoop,
]
