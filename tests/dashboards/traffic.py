"""Some minutes of life for the pictures: three closewatch, a backend behind each, clients, and three incidents.

All of it is real: sockets, frames, resets. Only the time is short. In parts of the whole:
from 0.36 to 0.56 a hop on the route `feed` cuts whoever is silent for 60 s; at 0.62 the second backend crashes and is away
for a while; from 0.78 on the instances are restarted, one after the other.
"""

import asyncio
import contextlib
import os
import random

import peers
from peers import CLOSE, PING, PONG, TEXT, Ended, Refused

CONFIG = """
listen = "127.0.0.1:{front}"
admin.listen = "127.0.0.1:{admin}"
log.closes = "off"
log.level = "warn"
timeouts = {{ drain = "4s", drain_jitter = "3s", linger = "2s", final_scrape = "3s" }}
[[routes]]
name = "chat"
path = "/chat"
upstream = "http://127.0.0.1:{back}"
[[routes]]
name = "feed"
path = "/feed"
upstream = "http://127.0.0.1:{back}"
[[routes]]
name = "graphql"
path = "/graphql"
codes = ["graphql-ws"]
upstream = "http://127.0.0.1:{back}"
"""

IDLE_LIMIT = (60.3, 61)


class Backend(peers.Backend):
    """A backend. The last part of the path says how it ends a session, if it does."""

    cuts_idle = False

    async def answer(self, path, upgrade):
        if not upgrade:
            return "200 OK" if random.random() < 0.9 else "404 Not Found"
        return "403 Forbidden" if path.endswith("/refuse") else "101 Switching Protocols"

    async def watch(self, s, path):
        """Ends the session as its path says, or because it is silent."""
        last, loop = path.rsplit("/", 1)[1], asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0.2)
            if last.isdigit() and loop.time() - s.opened > 8 + int(last) % 7:
                s.close_frame(
                    int(last),
                    {1011: "unhandled exception", 4401: "Unauthorized", 1008: "rate limit"}.get(int(last), ""),
                )
                if last == "1011":
                    # The Close is sent, then the process dies.
                    await asyncio.sleep(0.1)
                    s.reset()
                return
            if path.startswith("/feed") and self.cuts_idle and IDLE_LIMIT[0] < loop.time() - s.heard < IDLE_LIMIT[1]:
                s.reset()
                return


class Instance:
    def __init__(self, stage, binary, number, ports):
        self.stage, self.binary, self.name, self.process = stage, binary, "sidecar-%d" % number, None
        self.front, self.admin, self.backend = ports[0], ports[1], Backend(ports[2])
        self.config = stage.folder / (self.name + ".toml")
        self.config.write_text(CONFIG.format(front=ports[0], admin=ports[1], back=ports[2]))

    def start(self):
        self.process, _ = self.stage.start(self.name, [self.binary, "--config", self.config])


# (weight, path, how the client ends the session)
HABITS = [
    (30, "/chat/a", 1000),
    (16, "/chat/a", 1001),
    (14, "/chat/a", None),
    (7, "/chat/a", "fin"),
    (1, "/chat/a", "reset"),
    (6, "/feed/quiet", 1001),
    (8, "/feed/a", 1000),
    (12, "/graphql/a", 1000),
    (2, "/graphql/4401", "stay"),
    (0.3, "/chat/1011", "stay"),
    (1, "/chat/1008", "stay"),
    (1, "/feed/1012", "stay"),
    (1, "/chat/refuse", "stay"),
]


async def client(instances, first=None):
    """Runs one session, and soon another one if the backend ended it."""
    _, path, end = random.choices(HABITS, [weight for weight, *_ in HABITS])[0]
    quiet = path.endswith("quiet")
    life = random.uniform(70, 150) if quiet else min(400, random.lognormvariate(3.2, 1.0))
    # By this closewatch knows those that come back.
    agent = "User-Agent: Browser/%d\r\n" % random.randrange(10**9)
    for attempt in range(6):
        instance = first or random.choice(instances)
        try:
            if await session(instance, path, end, life, quiet, agent):
                return
        except OSError:
            first = None
        await asyncio.sleep(random.uniform(0.5, 4))


async def session(instance, path, end, life, quiet, agent):
    """Runs a session. True if the client ended it as it wanted."""
    try:
        s = await peers.connect(instance.front, path, lines=agent)
    except Refused:
        return path.endswith("refuse")
    except Ended:
        return False
    try:
        now = asyncio.get_running_loop().time
        until = now() + life if end != "stay" else now() + 400
        speaks = now() if not quiet else until
        while now() < until:
            if speaks <= now():
                s.send(
                    *random.choice([(TEXT, b"x" * random.randrange(20, 400)), (TEXT, b"hello"), (PING, os.urandom(4))])
                )
                speaks = now() + random.uniform(1, 7)
            try:
                opcode, payload = await asyncio.wait_for(s.frame(), max(0.01, min(speaks, until) - now()))
            except asyncio.TimeoutError:
                continue
            if opcode == CLOSE:
                s.send(CLOSE, payload)
                await s.writer.drain()
                return end == "stay"
            if opcode == PING:
                s.send(PONG, payload)
        if end == "fin":
            return True
        if end == "reset":
            s.reset()
            return True
        s.close_frame(end)
        while (await s.frame())[0] != CLOSE:
            pass
        return True
    except Ended:
        return False
    finally:
        await s.leave()


async def run(instances, seconds, rate):
    """Plays all of it."""
    loop = asyncio.get_running_loop()
    began, running = loop.time(), set()

    async def arrivals():
        while True:
            await asyncio.sleep(random.expovariate(rate))
            task = asyncio.create_task(client(instances))
            running.add(task)
            task.add_done_callback(running.discard)

    async def requests():
        while True:
            await asyncio.sleep(random.expovariate(2))
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", random.choice(instances).front)
                writer.write(b"GET /chat/history HTTP/1.1\r\nHost: ws.example\r\nConnection: close\r\n\r\n")
                await reader.read(4096)
                writer.close()

    async def at(part):
        await asyncio.sleep(began + part * seconds - loop.time())

    for instance in instances:
        await instance.backend.open()
    feeding = [asyncio.create_task(arrivals()), asyncio.create_task(requests())]
    for part, cuts in ((0.36, True), (0.56, False)):
        await at(part)
        for instance in instances:
            instance.backend.cuts_idle = cuts
    await at(0.62)
    await instances[1].backend.crash()
    await asyncio.sleep(12)
    await instances[1].backend.open()
    await at(0.78)
    for instance in instances:
        await asyncio.to_thread(instance.stage.stop, instance.process, 40)
        instance.start()
        await asyncio.sleep(0.03 * seconds)
    await at(1.0)
    for task in [*feeding, *running]:
        task.cancel()
    await asyncio.gather(*feeding, *running, return_exceptions=True)
