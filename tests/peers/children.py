"""The test peers, and closewatch, as child processes of a test in Python."""

import asyncio
import glob
import json
import re

import records

# Seconds to wait for a line. More than the 30 s after which a client gives up and says why.
PATIENCE = 40


class Peer:
    """A child process that writes JSON lines on standard output."""

    # Reads one line of the child.
    read = staticmethod(json.loads)

    def __init__(self, name, command):
        self.name, self.command, self.child = name, command, None

    async def start(self):
        command = [found for word in self.command for found in (sorted(glob.glob(word)) if "*" in word else [word])]
        pipe = asyncio.subprocess.PIPE
        self.child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 20)
        return self

    async def line(self, patience=PATIENCE):
        """Reads the next line. None at the end of the output."""
        async with asyncio.timeout(patience):
            line = await self.child.stdout.readline()
        return self.read(line) if line else None

    async def ask(self, words):
        if self.child is None or self.child.stdin.is_closing():
            await self.start()
        self.child.stdin.write(json.dumps(words).encode() + b"\n")
        await self.child.stdin.drain()

    async def left(self):
        """Waits until a child that was killed has exited."""
        async with asyncio.timeout(PATIENCE):
            await self.child.wait()
        self.child = None

    async def stop(self):
        if self.child is not None and self.child.returncode is None:
            self.child.stdin.close()
            try:
                async with asyncio.timeout(10):
                    await self.child.wait()
            except TimeoutError:
                self.child.kill()
                await self.child.wait()
        self.child = None


class Server(Peer):
    async def start(self):
        await super().start()
        listening = await self.line()
        if listening is None:
            raise RuntimeError(f"server {self.name}: {(await self.child.stderr.read()).decode()}")
        self.port = listening["listening"]
        return self


class Closewatch(Peer):
    """The built binary in front of one port. Its lines are records."""

    read = staticmethod(records.read)

    async def front(self, binary, upstream, *options, scheme="http", host="127.0.0.1", within=()):
        """Starts it. `within` is a command that runs another one."""
        self.command = [*within, binary, "--listen", "127.0.0.1:0", "--admin", "off", "--close-log", "-",
                        "--upstream", f"{scheme}://{host}:{upstream}", *options]
        await self.start()
        said = b""
        async with asyncio.timeout(PATIENCE):
            while line := await self.child.stderr.readline():
                said += line
                if b"listening" in line and (found := re.search(r"proxy.*127\.0\.0\.1:(\d+)", plain(line))):
                    self.port = int(found[1])
                    break
            else:
                raise RuntimeError(f"{self.name} did not start: {said.decode()}")
        self.rest = asyncio.create_task(self.child.stderr.read())
        return self

    async def leave(self):
        """Drains it: it exits when its sessions have ended, and then all records are written."""
        self.child.terminate()
        async with asyncio.timeout(PATIENCE):
            await self.child.wait()
        await self.rest

    async def stop(self):
        self.child.kill()
        await self.child.wait()
        await self.rest


def plain(line):
    """Removes the colours from a line of closewatch's own log."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line.decode())
