"""Boxes on the way: TCP hops that forward bytes, and cut connections for reasons of their own."""

import asyncio
import contextlib
import random
import socket
import struct


def reset(writer):
    """Sends RST, and discards what is still on its way."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Box:
    """A hop between two ports of this machine.

    `idle`     ends both connections with FIN after so many seconds without a byte, like a balancer's idle timeout
    `lifetime` ends them at this age
    `forget`   says nothing, but answers the next packet after so many seconds of silence with a reset, like a NAT
    `chance`   resets a connection with this probability a second
    `resets`   cuts by RST where it would by FIN
    """

    def __init__(self, port, to, idle=None, lifetime=None, forget=None, chance=None, resets=False, source="127.0.9.9"):
        self.port, self.to, self.resets, self.source = port, to, resets, source
        self.idle, self.lifetime, self.forget, self.chance = idle, lifetime, forget, chance
        self.tasks = set()

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024)

    async def shut(self):
        self.server.close()

    async def serve(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.CancelledError):
            out_reader, out_writer = await asyncio.open_connection("127.0.0.1", self.to, local_addr=(self.source, 0))
            await Link(self, (reader, writer), (out_reader, out_writer)).run()


class Link:
    def __init__(self, box, front, back):
        self.box, self.front, self.back = box, front, back
        self.now = asyncio.get_running_loop().time
        self.moved = self.began = self.now()
        self.dead = False

    async def run(self):
        copies = [
            asyncio.create_task(self.copy(self.front[0], self.back[1])),
            asyncio.create_task(self.copy(self.back[0], self.front[1])),
        ]
        watch = asyncio.create_task(self.watch())
        try:
            await asyncio.wait([*copies, watch], return_when=asyncio.FIRST_COMPLETED)
            if not self.dead and not watch.done():
                # One end hung up: what is left is forwarded, then the other half ends too.
                await asyncio.wait(copies, timeout=2)
        finally:
            for task in [*copies, watch]:
                task.cancel()
            for _, writer in (self.front, self.back):
                if self.dead:
                    reset(writer)
                else:
                    with contextlib.suppress(OSError):
                        writer.close()

    async def copy(self, reader, writer):
        box = self.box
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if box.forget and self.now() - self.moved > box.forget:
                    self.dead = True
                    return
                self.moved = self.now()
                writer.write(data)
                await writer.drain()
            writer.write_eof()

    async def watch(self):
        """Returns when the box cuts the connection."""
        box = self.box
        while True:
            await asyncio.sleep(0.05)
            now = self.now()
            if box.idle and now - self.moved > box.idle or box.lifetime and now - self.began > box.lifetime:
                self.dead = box.resets
                return
            if box.chance and random.random() < box.chance * 0.05:
                self.dead = True
                return
