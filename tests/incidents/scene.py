"""The parts of an incident: the built closewatch, a backend behind it, clients in front, a hop between. All use real sockets."""

import asyncio
import contextlib
import itertools
import random
import re
import sys

import peers
from peers import CLOSE, PING, PONG, TEXT, Ended, Refused
from stage import free_port, ready, wait_for

CONFIG = """
listen = "127.0.0.1:{front}"
upstream = "http://127.0.0.1:{back}"
workers = 1
[admin]
listen = "127.0.0.1:{admin}"
url = "http://127.0.0.1:{admin}"
[log]
closes = "{closes}"
level = "warn"
[timeouts]
linger = "1s"
handshake = "2s"
drain = "4s"
drain_jitter = "2s"
final_scrape = "4s"
[limits]
sessions = {sessions}
"""


class Closewatch:
    """One process of the built binary. It keeps its addresses over restarts."""

    def __init__(self, stage, binary, name, back, closes="off", sessions=0, descriptors=None):
        self.stage, self.name = stage, name
        self.front, self.admin = free_port(), free_port()
        self.address = "127.0.0.1:%d" % self.admin
        config = stage.folder / (name + ".toml")
        config.write_text(
            CONFIG.format(front=self.front, admin=self.admin, back=back, closes=closes, sessions=sessions)
        )
        self.command = [binary, "--config", config]
        if descriptors:
            self.command = ["sh", "-c", 'ulimit -n %d && exec "$@"' % descriptors, "sh", *self.command]

    def start(self):
        self.process, _ = self.stage.start(self.name, self.command)
        live = ready("http://%s/livez" % self.address)

        def check():
            if self.process.poll() is not None:
                sys.exit("%s ended with %d" % (self.name, self.process.returncode))
            return live()

        wait_for(self.name, check)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def drain(self):
        self.stage.stop(self.process, 30)


class Backend(peers.Backend):
    """A backend whose faults are switched on during the incident."""

    def __init__(self, port):
        super().__init__(port)
        # Seconds until it answers an upgrade, and the status of that answer.
        self.delay, self.status = 0, "101 Switching Protocols"
        # (prefix of the path, seconds, fault): a session that opens while this is in the list gets the fault at that age.
        self.faults = []

    async def answer(self, path, upgrade):
        await asyncio.sleep(self.delay)
        return self.status if upgrade else "200 OK"

    async def watch(self, s, path):
        for begin, after, fault in self.faults:
            if path.startswith(begin):
                await asyncio.sleep(after)
                fault(s)

    def all(self, fault):
        """Does `fault` to every live session, and returns their number."""
        up = list(self.sockets)
        for s in up:
            fault(s)
        return len(up)


def closes(code, reason=""):
    return lambda s: s.close_frame(code, reason)


def blinds(s):
    """Sends bytes that are no frame: a length with its highest bit set, and some more."""
    s.closing = True
    s.writer.write(b"\x82\x7f" + b"\xff" * 64)
    s.writer.write_eof()


def dies(s):
    """Ends the connection as the kernel does for a killed process: FIN, or RST if input was unread."""
    if random.random() < 0.5:
        s.reset()
    else:
        s.writer.transport.abort()


class Hop:
    """A load balancer: forwards bytes, and ends both connections with a FIN after `limit` seconds without any."""

    def __init__(self, port, to, limit):
        self.port, self.to, self.limit = port, to, limit

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024)

    async def serve(self, reader, writer):
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)

            async def pump(source, sink):
                nonlocal last
                with contextlib.suppress(OSError):
                    while data := await source.read(65536):
                        last = loop.time()
                        sink.write(data)
                        await sink.drain()

            last = loop.time()
            pumps = [
                asyncio.create_task(pump(reader, far_writer)),
                asyncio.create_task(pump(far_reader, writer)),
            ]
            try:
                while (silent := loop.time() - last) < self.limit:
                    done, _ = await asyncio.wait(
                        pumps, timeout=self.limit - silent, return_when=asyncio.FIRST_COMPLETED
                    )
                    if done:
                        break
            finally:
                for each in pumps:
                    each.cancel()
                for each in (writer, far_writer):
                    each.close()


# Each client has a name: by it closewatch knows those that come back.
names = itertools.count()


async def client(port, path="/", life=(10, 60), end=1000, speaks=(4, 12), pause=(0.2, 1.5), first=(0, 8), patience=None):
    """Runs one session after the other, without end. A session lasts `life` and sends a message every `speaks` (None: never). The client
    ends it with `end`: a code, None (a Close without a code), "leave" (1001, and no wait for the answer), "fin" or "reset". After the
    end of a session it waits for `pause`. It gives an upgrade up after `patience`."""
    agent = "User-Agent: client-%d\r\n" % next(names)
    await asyncio.sleep(random.uniform(*first))
    while True:
        try:
            s = await peers.connect(port, path, patience, lines=agent)
        except (OSError, Ended, Refused):
            await asyncio.sleep(random.uniform(*pause))
            continue
        await stay(s, random.uniform(*life), end, speaks)
        await asyncio.sleep(random.uniform(*pause))


async def stay(s, life, end, speaks):
    now = asyncio.get_running_loop().time
    until, reading = now() + life, asyncio.create_task(listen(s))
    try:
        while not reading.done() and (left := until - now()) > 0:
            await asyncio.wait({reading}, timeout=min(left, random.uniform(*speaks)) if speaks else left)
            if speaks and not reading.done():
                s.send(random.choice((TEXT, TEXT, PING)), b"hello")
        if reading.done():
            return
        if end == "reset":
            s.reset()
        elif end == "leave":
            s.close_frame(1001)
        elif end != "fin":
            s.close_frame(end)
            await asyncio.wait({reading}, timeout=5)
    finally:
        reading.cancel()
        await s.leave()


async def listen(s):
    """Reads until the session ends, and answers pings and the Close."""
    with contextlib.suppress(Ended, OSError):
        while True:
            opcode, payload = await s.frame()
            if opcode == CLOSE:
                if not s.closing:
                    s.send(CLOSE, payload)
                    await s.writer.drain()
                return
            if opcode == PING:
                s.send(PONG, payload)


class Incident:
    """One closewatch (or more), and what happens to it. It is a job of its own in Prometheus.

    `expected` is {alert: minutes of life within which it has to fire}; no other alert may fire. Times in the stories are seconds of the
    run. One second of the run stands for FACTOR seconds of life.
    """

    title = ""
    #: Ends within a minute, and so is part of `run --quick`.
    quick = False
    expected = {}
    #: For incidents that fire nothing: a query that must have a result at the end. RUN is the duration of the run.
    evidence = None
    instances = 1
    #: Options of closewatch that differ from CONFIG.
    options = {}
    #: Number of clients, and their arguments of `client`.
    clients = 60
    habits = {}
    #: The incident has its own Prometheus, which it may restart.
    own_prometheus = False

    def __init__(self, stage, binary, start):
        self.start, self.began, self.running = start, None, set()
        self.name = "".join("-" + c.lower() if c.isupper() else c for c in type(self).__name__)[1:]
        self.backends = [self.backend(free_port()) for _ in range(self.instances)]
        self.closewatches = [
            Closewatch(stage, binary, "%s-%d" % (self.name, i), self.behind(backend), **self.options)
            for i, backend in enumerate(self.backends, 1)
        ]

    # === For subclasses ===

    def backend(self, port):
        return Backend(port)

    def behind(self, backend):
        """The port that closewatch dials."""
        return backend.port

    def before(self):
        """The ports that clients connect to."""
        return [each.front for each in self.closewatches]

    async def prepare(self):
        """Prepares what must exist before the first client."""

    async def story(self):
        """Plays the incident: first `await self.at(self.start)`, then `self.begins()`, then the fault."""

    # ===

    @property
    def targets(self):
        return {each.name: each.address for each in self.closewatches}

    def clock(self):
        return asyncio.get_running_loop().time() - self.zero

    async def at(self, second):
        await asyncio.sleep(max(0, second - self.clock()))

    def begins(self):
        self.began = self.clock()

    def run(self, task):
        task = asyncio.create_task(task)
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task

    def come(self, count, **habits):
        """Starts clients, spread evenly over the instances."""
        ports = self.before()
        for i in range(count):
            self.run(client(ports[i % len(ports)], **habits))

    def happened(self, prometheus, now, run):
        """The query `evidence` has a result."""
        expr = self.evidence.replace("RUN", "%ds" % run)
        expr = re.sub(r"((?:closewatch_\w+|up)(?:\{[^}]*)?)(?=[}\[])", self.job_only, expr)
        return bool(prometheus.instant(expr, now))

    def job_only(self, match):
        """A selector, narrowed to the job of this incident."""
        selector, job = match[1], 'job="%s"' % self.name
        return selector + (", " + job if "{" in selector else "{" + job + "}")

    async def play(self, zero):
        self.zero = zero
        for backend in self.backends:
            await backend.open()
        await self.prepare()
        self.come(self.clients, **self.habits)
        await self.story()

    async def end(self):
        """Cancels the tasks that are left, and raises the error of one that failed."""
        for backend in self.backends:
            backend.shut()
        tasks = set(self.running)
        for task in tasks:
            task.cancel()
        done, late = await asyncio.wait(tasks, timeout=10) if tasks else ((), ())
        assert not late, "%s does not end: %s" % (self.name, late)
        for task in done:
            if not task.cancelled():
                task.result()
