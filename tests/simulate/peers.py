"""Clients and backends that speak WebSocket over real sockets, frame by frame, and end a session in any way there is."""

import asyncio
import base64
import contextlib
import hashlib
import os
import socket
import struct

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Ended(Exception):
    """The transport has ended."""


class Refused(Exception):
    """The upgrade was answered with another status than 101."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Socket:
    """One end of a session: sends and receives frames."""

    def __init__(self, reader, writer, masks):
        self.reader, self.writer, self.masks = reader, writer, masks
        self.heard = self.opened = asyncio.get_running_loop().time()
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
            payload = await self.reader.readexactly(length)
            if any(key):
                payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
        except (OSError, asyncio.IncompleteReadError):
            raise Ended from None
        self.heard = asyncio.get_running_loop().time()
        return first & 15, payload

    def reset(self):
        """Sends RST, and discards what is still on its way."""
        raw = self.writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def leave(self):
        """Sends FIN, unless the transport has ended."""
        with contextlib.suppress(OSError):
            self.writer.close()
            await self.writer.wait_closed()


async def connect(port, path, patience=None, sock=None, lines="", tls=None):
    """Opens a session and returns the client's end, over `sock` if that is connected. `lines` are more header lines, `tls` is a context of
    TLS. If the answer takes longer than the client waits, the client sends RST and raises TimeoutError."""
    if sock:
        reader, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=tls and "ws.example")
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    s = Socket(reader, writer, True)
    try:
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            (
                "GET %s HTTP/1.1\r\nHost: ws.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "%sSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % (path, lines, key)
            ).encode()
        )
        async with asyncio.timeout(patience):
            head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status != 101:
            raise Refused(status)
    except asyncio.IncompleteReadError:
        writer.close()
        raise Ended from None
    except TimeoutError:
        s.reset()
        raise
    except BaseException:
        writer.close()
        raise
    return s


class Backend:
    """A backend that echoes, and answers pings and Closes. Subclasses add what else it does."""

    def __init__(self, port):
        self.port, self.server, self.sockets = port, None, set()

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024)

    def shut(self):
        """Stops accepting connections. Live sessions go on."""
        self.server.close()

    async def crash(self):
        self.shut()
        for s in list(self.sockets):
            s.reset()

    # === For subclasses ===

    async def answer(self, path, upgrade):
        """The status and reason of the answer. Anything but 101 refuses an upgrade."""
        return "101 Switching Protocols" if upgrade else "200 OK"

    async def watch(self, s, path):
        """Runs beside each session, and may end it."""

    # ===

    async def serve(self, reader, writer):
        # Cancelled at the end of the test. Without this Python 3.11 would print each as an error.
        with contextlib.suppress(OSError, Ended, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ")[1]
            upgrade = "upgrade: websocket" in head.lower()
            status = await self.answer(path, upgrade)
            if not upgrade or not status.startswith("101"):
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status.encode())
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
                    "HTTP/1.1 %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: %s\r\n\r\n" % (status, accept)
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
