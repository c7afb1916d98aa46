"""What must not page."""

import asyncio

from scene import Incident, closes


class RollingDeploy(Incident):
    title = "Rolling deploy of the upstream: 1012 in four waves, later 1001 to all at once"
    quick = True

    async def story(self):
        await self.at(self.start)
        self.begins()
        for wave in range(4):
            for s in list(self.backends[0].sockets)[:25]:
                s.close_frame(1012, "service restart")
            await asyncio.sleep(8)
        await self.at(self.start + 150)
        self.backends[0].all(closes(1001))


class Drain(Incident):
    title = "Rolling deploy of closewatch: three instances drain, one after the other"
    quick = True
    instances = 3
    clients = 90

    async def story(self):
        await self.at(self.start)
        self.begins()
        for each in self.closewatches:
            await asyncio.to_thread(each.drain)
            await asyncio.to_thread(each.start)


class PhonesAsleep(Incident):
    title = "Phones fall asleep: FIN without a Close, all the time"
    quick = True
    clients = 40

    async def story(self):
        self.come(80, life=(5, 110), end="fin", speaks=(2, 20))
        self.begins()


class BadClient(Incident):
    title = "Three bad clients on three paths fail in a loop: reset once a second, 1011 twice, 4401 four times"
    quick = True
    clients = 150

    async def story(self):
        await self.at(self.start)
        self.begins()
        # A second of life is 1/12 s.
        for path, often, fault in (
            ("/poison", 1, lambda s: s.reset()),
            ("/exception", 2, closes(1011)),
            ("/token", 4, closes(4401)),
        ):
            self.backends[0].faults.append((path, 0.01, fault))
            between = 1 / 12 / often
            self.come(1, path=path, first=(0, 0), pause=(0.7 * between, 0.8 * between))


class Navigations(Incident):
    title = "Browsers navigate (1001 and off), and once all at the same time"

    async def story(self):
        self.come(80, life=(5, 40), end="leave")
        self.begins()
        # A page that reloads everywhere at once.
        await self.at(self.start)
        for _ in range(3):
            self.come(80, life=(12, 12), end="leave", first=(0, 0), pause=(90, 90))
            await asyncio.sleep(90)


class CloseWithoutCode(Incident):
    title = "close() without a code: 1005"

    async def story(self):
        self.come(80, life=(3, 30), end=None)
        self.begins()


class ThreeSessions(Incident):
    title = "Route with three sessions, all cut by the upstream"
    clients = 0

    async def story(self):
        await self.at(self.start)
        self.begins()
        for _ in range(3):
            self.come(1, first=(0, 0), life=(600, 600), pause=(600, 600))
            await asyncio.sleep(20)
            self.backends[0].all(lambda s: s.reset())
            await asyncio.sleep(20)


class PrometheusRestarts(Incident):
    title = "Prometheus restarts: once away for a minute, once for ten"
    own_prometheus = True

    async def story(self):
        self.come(30, life=(5, 60), end="fin")
        await self.at(self.start)
        self.begins()
        for away in (5, 50):
            await asyncio.to_thread(self.prometheus.stop)
            await asyncio.sleep(away)
            await asyncio.to_thread(self.prometheus.start)
            await asyncio.sleep(60)


class CountersReset(Incident):
    title = "Counters begin again at 0: closewatch is killed and started once"
    expected = {"Crashed": 10}

    async def story(self):
        self.come(30, life=(5, 60), end="fin")
        await self.at(self.start)
        self.begins()
        await asyncio.to_thread(self.closewatches[0].kill)
        await asyncio.to_thread(self.closewatches[0].start)


ALL = [
    RollingDeploy,
    Drain,
    PhonesAsleep,
    BadClient,
    Navigations,
    CloseWithoutCode,
    ThreeSessions,
    PrometheusRestarts,
    CountersReset,
]
