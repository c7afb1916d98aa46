"""Incidents that must not page."""

import asyncio

import peers
from scene import Incident, closes, stay


class RollingDeploy(Incident):
    title = "Rolling deploy of the upstream: 1012 in four waves, later 1001 to all at once"
    evidence = 'sum(increase(closewatch_closes_total{code="1012", initiator="upstream"}[RUN])) > 80'
    quick = True
    clients = 100

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
    evidence = 'sum(increase(closewatch_closes_total{cause="drain"}[RUN])) > 30'
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
    evidence = 'sum(increase(closewatch_closes_total{cause="client_eof"}[RUN])) > 20'
    quick = True
    clients = 40

    async def story(self):
        self.come(80, life=(5, 110), end="fin", speaks=(2, 20))
        self.begins()


class BadClient(Incident):
    """One client that comes back `often` times per second of life, and is closed each time."""

    quick = True
    often = 4

    def fault(self, s):
        raise NotImplementedError

    async def story(self):
        await self.at(self.start)
        self.begins()
        self.backends[0].faults.append(("/bad", 0, self.fault))
        loop = asyncio.get_running_loop()
        # A second of life is 1/12 s of the run.
        due, between = loop.time(), 1 / 12 / self.often
        while self.clock() < self.start + 120:
            s = await peers.connect(self.before()[0], "/bad")
            await stay(s, 5, 1000, None)
            due = max(due + between, loop.time())
            await asyncio.sleep(due - loop.time())


class PoisonedClient(BadClient):
    title = "One bad client: the upstream dies of its message, once a second"
    evidence = 'sum(increase(closewatch_closes_total{cause="upstream_reset"}[RUN])) > 200'
    expected = {"AbnormalCloseBurn 1d": 66}
    often = 1

    def fault(self, s):
        s.reset()


class FailingClient(BadClient):
    title = "One bad client: 1011 four times a second"
    evidence = 'sum(increase(closewatch_closes_total{code="1011"}[RUN])) > 800'
    expected = {"AbnormalCloseBurn 1d": 66}

    def fault(self, s):
        s.close_frame(1011)


class ExpiredClient(BadClient):
    title = "One bad client: 4401 twice a second"
    evidence = 'sum(increase(closewatch_closes_total{code="4xxx"}[RUN])) > 400'
    often = 2

    def fault(self, s):
        s.close_frame(4401)


class Navigations(Incident):
    title = "Browsers navigate (1001 and off), and once all at the same time"
    evidence = 'sum(increase(closewatch_closes_total{code="1001", initiator="client"}[RUN])) > 400'
    clients = 20

    async def story(self):
        self.come(60, life=(5, 40), end="leave")
        self.begins()
        # All pages reload at the same time.
        await self.at(self.start)
        for _ in range(3):
            self.come(80, life=(12, 12), end="leave", first=(0, 0), pause=(90, 90))
            await asyncio.sleep(90)


class CloseWithoutCode(Incident):
    title = "close() without a code: 1005"
    evidence = 'sum(increase(closewatch_closes_total{code="1005"}[RUN])) > 400'
    clients = 20

    async def story(self):
        self.come(60, life=(3, 30), end=None)
        self.begins()


class ThreeSessions(Incident):
    title = "Route with three sessions, all cut by the upstream"
    evidence = 'round(sum(increase(closewatch_closes_total{cause="upstream_reset"}[RUN]))) == 3'
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
    evidence = 'count_over_time(up[RUN]) < 300 and count_over_time(up[60s]) > 40'
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
    evidence = 'resets(closewatch_frame_bytes_total{direction="from_client"}[RUN]) == 1'
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
    PoisonedClient,
    FailingClient,
    ExpiredClient,
    Navigations,
    CloseWithoutCode,
    ThreeSessions,
    PrometheusRestarts,
    CountersReset,
]
