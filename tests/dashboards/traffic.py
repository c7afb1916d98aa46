"""Some minutes of life for the pictures: three closewatch, a backend behind each, clients, and three incidents.

All of it is real: sockets, frames, resets. Only the time is short. In parts of the whole:
from 0.36 to 0.56 a hop on the route `feed` cuts whoever is silent for 60 s; at 0.62 the second backend crashes and is away
for a while; from 0.78 on the instances are restarted, one after the other.
"""

import asyncio
import base64
import contextlib
import hashlib
import os
import random
import socket
import struct

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
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Ended(Exception):
    pass


class Socket:
    """One end of a session: frames out, frames in."""

    def __init__(self, reader, writer, masks):
        self.reader, self.writer, self.masks, self.heard = reader, writer, masks, asyncio.get_running_loop().time()
        self.closing = False

    def send(self, opcode, payload=b""):
        mask = 128 if self.masks else 0
        length = (
            bytes([mask | len(payload)])
            if len(payload) < 126
            else bytes([mask | 126]) + struct.pack(">H", len(payload))
        )
        self.writer.write(bytes([0x80 | opcode]) + length + (b"\0\0\0\0" if self.masks else b"") + payload)

    def close_frame(self, code=None, reason=""):
        self.closing = True
        self.send(CLOSE, b"" if code is None else struct.pack(">H", code) + reason.encode())

    async def frame(self):
        try:
            first, second = await self.reader.readexactly(2)
            length = second & 127
            if length == 126:
                (length,) = struct.unpack(">H", await self.reader.readexactly(2))
            key = await self.reader.readexactly(4) if second & 128 else b"\0\0\0\0"
            payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(await self.reader.readexactly(length)))
        except (OSError, asyncio.IncompleteReadError):
            raise Ended from None
        self.heard = asyncio.get_running_loop().time()
        return first & 15, payload

    def reset(self):
        raw = self.writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def leave(self):
        with contextlib.suppress(OSError):
            self.writer.close()
            await self.writer.wait_closed()


class Backend:
    """Echoes and pings. The path's last part says how it ends a session, if it does."""

    def __init__(self, port):
        self.port, self.server, self.sockets, self.cuts_idle = port, None, set(), False

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    async def crash(self):
        self.server.close()
        for s in list(self.sockets):
            s.reset()

    async def serve(self, reader, writer):
        # Cancelled when the story is over; Python 3.11 would print each as an error.
        with contextlib.suppress(OSError, Ended, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ")[1]
            if "upgrade: websocket" not in head.lower():
                writer.write(
                    b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    % (b"200 OK" if random.random() < 0.9 else b"404 Not Found")
                )
                await writer.drain()
                writer.close()
                return
            if path.endswith("/refuse"):
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                writer.close()
                return
            key = next(
                line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")
            )
            accept = base64.b64encode(
                hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
            ).decode()
            writer.write(
                (
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: %s\r\n\r\n" % accept
                ).encode()
            )
            s = Socket(reader, writer, False)
            self.sockets.add(s)
            watch = asyncio.create_task(self.watch(s, path))
            try:
                await self.talk(s)
            finally:
                watch.cancel()
                self.sockets.discard(s)
                await s.leave()

    async def watch(self, s, path):
        """Ends the session as its path says, or for silence."""
        last = path.rsplit("/", 1)[1]
        loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(0.2)
            if last.isdigit() and loop.time() - began > 8 + int(last) % 7:
                s.close_frame(
                    int(last),
                    {1011: "unhandled exception", 4401: "Unauthorized", 1008: "rate limit"}.get(int(last), ""),
                )
                if last == "1011":
                    # It says so, and dies.
                    await asyncio.sleep(0.1)
                    s.reset()
                return
            if path.startswith("/feed") and self.cuts_idle and IDLE_LIMIT[0] < loop.time() - s.heard < IDLE_LIMIT[1]:
                s.reset()
                return

    async def talk(self, s):
        while True:
            opcode, payload = await s.frame()
            if opcode == CLOSE:
                if not s.closing:
                    s.send(CLOSE, payload)
                    await s.writer.drain()
                return
            if opcode in (PING, TEXT) and not s.closing:
                s.send(PONG if opcode == PING else TEXT, payload)


class Instance:
    def __init__(self, stage, binary, number, ports):
        self.stage, self.binary, self.name, self.process = stage, binary, "sidecar-%d" % number, None
        self.front, self.admin, self.backend = ports[0], ports[1], Backend(ports[2])
        self.config = stage.folder / (self.name + ".toml")
        self.config.write_text(CONFIG.format(front=ports[0], admin=ports[1], back=ports[2]))

    def start(self):
        self.process, _ = self.stage.start(self.name, [self.binary, "--config", self.config])


# (how often, what the client asks for, what it does at its end)
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
    """One session, and another one soon if it was thrown out."""
    _, path, end = random.choices(HABITS, [weight for weight, *_ in HABITS])[0]
    quiet = path.endswith("quiet")
    life = random.uniform(70, 150) if quiet else min(400, random.lognormvariate(3.2, 1.0))
    for attempt in range(6):
        instance = first or random.choice(instances)
        try:
            if await session(instance, path, end, life, quiet):
                return
        except OSError:
            first = None
        await asyncio.sleep(random.uniform(0.5, 4))


async def session(instance, path, end, life, quiet):
    """Whether the client had what it wanted."""
    reader, writer = await asyncio.open_connection("127.0.0.1", instance.front)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        (
            "GET %s HTTP/1.1\r\nHost: ws.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: %s\r\n\r\n" % (path, key)
        ).encode()
    )
    s = Socket(reader, writer, True)
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head:
            return path.endswith("refuse")
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
                await writer.drain()
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
    except (Ended, asyncio.IncompleteReadError):
        return False
    finally:
        await s.leave()


async def run(instances, seconds, rate):
    """The whole story."""
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
