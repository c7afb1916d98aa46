"""Three hosts in a row: the client's, closewatch's, the upstream's. Each is a network namespace, and a `Link` is the cable between
two of them."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import records
from link import Link, Namespace

sys.path.insert(0, str(Path(__file__).parent.parent / "simulate"))
from peers import CLOSE, PING, PONG, TEXT, Backend, Ended, connect  # noqa: E402, F401

CLIENT, FRONT = "10.77.1.1", "10.77.1.2"
BACK, UPSTREAM = "10.77.2.1", "10.77.2.2"
PORT = 8080
# Seconds. Shorter than the default, so that a scene does not take minutes.
DEAD_PEER = 3
PATIENCE = 30


class Upstream(Backend):
    """A backend that puts each session into `waiting`, and leaves it to the scene until `end`."""

    def __init__(self, listening):
        super().__init__(PORT)
        self.listening, self.waiting, self.over = listening, asyncio.Queue(), asyncio.Event()

    async def open(self):
        self.server = await asyncio.start_server(self.serve, sock=self.listening)

    async def end(self):
        self.shut()
        self.over.set()
        while self.sockets:
            await asyncio.sleep(0)

    async def talk(self, s):
        await self.waiting.put(s)
        await self.over.wait()


class Closewatch:
    """A running closewatch. Its records are read as they come; its own log goes to a file."""

    def __init__(self, process, folder):
        self.process, self.folder = process, folder

    async def record(self):
        """The record of the next session that ends."""
        while True:
            line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
            assert line, "closewatch ended"
            record = records.read(line)
            if record["event"] == "websocket.closed":
                return record

    async def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        await self.process.wait()


class World:
    """The hosts, the cables, and all that runs on them. The end of `async with` stops it all."""

    def __init__(self, binary, folder, number):
        self.binary, self.folder, self.number = binary, folder, number

    async def __aenter__(self):
        self.folder.mkdir()
        async with contextlib.AsyncExitStack() as stack:
            hosts = ["closewatch-%d-%d-%s" % (os.getpid(), self.number, host) for host in ("client", "proxy", "upstream")]
            self.client, self.proxy, self.upstream = (stack.enter_context(Namespace(host)) for host in hosts)
            self.client_link = Link((self.client, CLIENT, FRONT), (self.proxy, FRONT, CLIENT))
            stack.callback(self.client_link.close)
            self.upstream_link = Link((self.proxy, BACK, UPSTREAM), (self.upstream, UPSTREAM, BACK))
            stack.callback(self.upstream_link.close)
            self.stack = stack.pop_all()
        return self

    async def __aexit__(self, *failure):
        await self.stack.aclose()

    async def serve(self):
        """Starts an upstream in this process."""
        backend = Upstream(self.upstream.listen((UPSTREAM, PORT)))
        await backend.open()
        self.stack.push_async_callback(backend.end)
        return backend

    async def closewatch(self, *options, environment=None):
        """Starts closewatch, and returns when it listens."""
        config = self.folder / "closewatch.toml"
        config.write_text(
            'listen = "%s:%d"\nupstream = "http://%s:%d"\n[admin]\nlisten = "off"\n'
            '[timeouts]\ndead_peer = "%ds"\ndial = "5s"\n' % (FRONT, PORT, UPSTREAM, PORT, DEAD_PEER)
        )
        words = ["ip", "netns", "exec", self.proxy.name, self.binary, "--config", config, *options]
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | (environment or {}),
            limit=1 << 20,
        )

        async def end():
            if process.returncode is None:
                process.kill()
            await process.wait()

        self.stack.push_async_callback(end)
        while b'listening listener="proxy"' not in (line := await asyncio.wait_for(process.stderr.readline(), PATIENCE)):
            assert line, "closewatch did not start"
        log = asyncio.create_task(self._keep(process.stderr))
        self.stack.callback(log.cancel)
        return Closewatch(process, self.folder)

    async def _keep(self, stream):
        with open(self.folder / "closewatch.log", "ab") as log:
            while line := await stream.readline():
                log.write(line)
                log.flush()

    async def dial(self, path="/"):
        """Opens a session, and returns the client's end."""
        return await connect(PORT, path, PATIENCE, await self.client.connect((FRONT, PORT)))

    async def session(self, backend):
        """Opens a session, and returns both ends."""
        client = await self.dial()
        return client, await asyncio.wait_for(backend.waiting.get(), PATIENCE)
