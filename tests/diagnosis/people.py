"""People and servers: clients as they are in life, from many addresses, and what a scene needs to have backends."""

import asyncio
import contextlib
import random
import socket

import peers
from peers import CLOSE, PING, PONG, TEXT, Ended, Refused
from stage import free_port

AGENTS = ["Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "Mozilla/5.0 (iPhone) Safari/605.1", "okhttp/4.12", "app/1.4", "Chrome/156.0"]


def addresses():
    """Source addresses of clients: many networks of this machine."""
    while True:
        yield "127.%d.%d.%d" % (random.randint(20, 220), random.randint(0, 255), random.randint(1, 254))


ADDRESS = addresses()


async def connect(port, path="/chat", source=None, agent=None, lines="", window=None, tls=None):
    """A client's end of a new session. `window` is the size of its receive buffer, `tls` its context of TLS."""
    raw = socket.socket()
    if window:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    raw.setblocking(False)
    raw.bind((source or next(ADDRESS), 0))
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    lines = "User-Agent: %s\r\n%s" % (agent or random.choice(AGENTS), lines)
    return await peers.connect(port, path, sock=raw, lines=lines, tls=tls)


async def talk(s, seconds, every=0.4):
    """Sends a message now and then, and reads whatever comes, for so long. Raises Ended when the connection ends."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0:
        s.send(TEXT, b"hello")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(left, every * random.uniform(0.5, 1.5))):
                while True:
                    await answered(s)


async def answered(s):
    """One frame; pings are answered. A Close is answered, and ends the session."""
    opcode, payload = await s.frame()
    if opcode == PING:
        s.send(PONG, payload)
    elif opcode == CLOSE:
        if not s.closing:
            s.close_frame() if not payload else s.send(CLOSE, payload)
        raise Ended
    return opcode, payload


async def close(s, code=1000, reason=""):
    """Closes in order."""
    with contextlib.suppress(Ended, OSError):
        s.close_frame(code, reason)
        async with asyncio.timeout(2):
            while True:
                await answered(s)
    await s.leave()


async def visitor(port, seconds=None, path="/chat", **who):
    """An ordinary client of an ordinary day."""
    with contextlib.suppress(OSError, Ended, Refused, TimeoutError):
        s = await connect(port, path, **who)
        try:
            # No two stay for the same time: that would be somebody's timer.
            await talk(s, seconds * random.uniform(0.7, 1.3) if seconds else random.uniform(0.5, 5))
            end = random.random()
            if end < 0.5:
                await close(s, 1001)
            elif end < 0.8:
                await close(s, 1000)
            elif end < 0.95:
                await close(s, None)
        finally:
            # The rest are phones that fall asleep: FIN without a Close.
            await s.leave()


async def crowd(port, count, over=6.0, play=visitor, **options):
    """So many clients, spread over some seconds."""

    async def later():
        await asyncio.sleep(random.uniform(0, over))
        await play(port, **options)

    await asyncio.gather(*(later() for _ in range(count)))


async def backend(kind=peers.Backend, *arguments):
    server = kind(free_port(), *arguments)
    await server.open()
    return server


async def quiet(port, seconds=9, every=None, **who):
    """A client that says one thing and then waits; with `every` it says something that often."""
    with contextlib.suppress(OSError, Ended, Refused, TimeoutError):
        s = await connect(port, **who)
        try:
            await asyncio.sleep(random.uniform(0, 0.5))
            s.send(TEXT, b"subscribe")
            async with asyncio.timeout(seconds):
                while True:
                    await answered(s)
        finally:
            await s.leave()
