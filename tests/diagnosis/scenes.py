"""The scenes: incidents with their culprit, and harmless days. Each is some seconds of real sockets."""

import asyncio
import contextlib
import random
import sys

import box
import peers
from peers import CLOSE, PING, TEXT, Ended
from people import ADDRESS, answered, backend, close, connect, crowd, quiet, talk
from scene import Found, harmless, incident, incidents
from stage import free_port

# === Incidents ===


@incident("A balancer in front cuts after 46 s of silence", ("middlebox_front",), ("idle_cut",), 46)
async def front_idle_cut(proxy):
    server = await backend()
    p = await proxy(server.port)
    hop = box.Box(free_port(), p.port, idle=2.3)
    await hop.open()
    await asyncio.gather(crowd(hop.port, 60, play=quiet), crowd(hop.port, 120))


@incident("A balancer behind cuts after 60 s of silence", ("middlebox_back", "upstream"), ("idle_cut",), 60)
async def back_idle_cut(proxy):
    server = await backend()
    hop = box.Box(free_port(), server.port, idle=3.0)
    await hop.open()
    p = await proxy(hop.port)
    await asyncio.gather(crowd(p.port, 60, play=quiet), crowd(p.port, 120))


@incident("A backend is killed under its sessions", ("upstream",), ("crash", "unannounced_restart"))
async def crash(proxy):
    server = await backend()
    p = await proxy(server.port)

    async def kill():
        await asyncio.sleep(4)
        await server.crash()
        await asyncio.sleep(0.3)
        await server.open()

    await asyncio.gather(crowd(p.port, 120, over=8), crowd(p.port, 50, over=2, seconds=8), kill())


@incident("A backend's process is killed (SIGKILL) under twenty sessions", ("upstream",), ("crash",))
async def killed(proxy):
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", BACKEND % port)
    try:
        p = await proxy(port)
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)

        async def kill():
            await asyncio.sleep(3)
            process.kill()
            await process.wait()

        await asyncio.gather(crowd(p.port, 20, over=1, seconds=30), kill())
    finally:
        if process.returncode is None:
            process.kill()


# A process of its own: `crash` ends the connections of one that lives on.
BACKEND = """
import asyncio, peers
async def main():
    await peers.Backend(%d).open()
    await asyncio.Event().wait()
asyncio.run(main())
"""


class Fails(peers.Backend):
    """Answers a Close with 1011."""

    async def talk(self, s):
        while True:
            opcode, payload = await s.frame()
            if opcode == CLOSE:
                s.close_frame(1011, "cleanup failed")
                return
            if opcode == TEXT:
                s.send(TEXT, payload)


@incident("Clients close with 1000 and are answered 1011", ("upstream",), ("handler_error",))
async def answered_1011(proxy):
    server = await backend(Fails)
    p = await proxy(server.port)

    async def leaver(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port)
            await talk(s, random.uniform(0.5, 4))
            await close(s, 1000)

    await crowd(p.port, 80, play=leaver)


class Trips(peers.Backend):
    """Fails on some messages: 1011."""

    async def talk(self, s):
        while True:
            opcode, payload = await s.frame()
            if opcode == CLOSE:
                s.send(CLOSE, payload)
                return
            if payload == b"trip":
                await asyncio.sleep(0.01)
                s.close_frame(1011, "internal error")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        while (await s.frame())[0] != CLOSE:
                            pass
                return
            if opcode == TEXT:
                s.send(TEXT, payload)


async def tripper(port):
    with contextlib.suppress(OSError, Ended):
        s = await connect(port)
        await talk(s, random.uniform(0.5, 4))
        s.send(TEXT, b"trip")
        while True:
            await answered(s)


@incident("A handler fails on one kind of message", ("upstream",), ("handler_error",))
async def handler_error(proxy):
    server = await backend(Trips)
    p = await proxy(server.port)
    await asyncio.gather(crowd(p.port, 40, play=tripper), crowd(p.port, 120))


class Pings(peers.Backend):
    """Pings, and gives up on a client that does not answer: Python websockets' way."""

    async def watch(self, s, path):
        while True:
            await asyncio.sleep(1.0)
            heard = s.heard
            s.send(PING, b"1")
            await asyncio.sleep(1.0)
            if s.heard == heard and not s.closing:
                s.close_frame(1011, "keepalive ping timeout")
                await s.writer.drain()
                s.writer.close()
                return


@incident("Clients stop answering pings", ("client", "network_client_side"), ("keepalive_timeout", "peer_vanished"))
async def keepalive(proxy):
    server = await backend(Pings)
    p = await proxy(server.port)

    async def deaf(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port)
            await talk(s, random.uniform(0.5, 2))
            await asyncio.sleep(4)
            s.reset()

    await asyncio.gather(crowd(p.port, 40, play=deaf), crowd(p.port, 120))


class Limits(peers.Backend):
    """Takes messages of up to 1000 bytes."""

    async def talk(self, s):
        while True:
            opcode, payload = await s.frame()
            if opcode == CLOSE:
                if not s.closing:
                    s.send(CLOSE, payload)
                return
            if len(payload) > 1000 and not s.closing:
                s.close_frame(1009, "message too big")
            elif opcode == TEXT and not s.closing:
                s.send(TEXT, payload)


@incident("Clients send messages that are too big", ("client",), ("message_too_big",))
async def too_big(proxy):
    server = await backend(Limits)
    p = await proxy(server.port)

    async def uploader(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port, agent="uploader/2.0")
            await talk(s, random.uniform(0.5, 3))
            s.send(TEXT, b"x" * 5000)
            while True:
                await answered(s)

    await asyncio.gather(crowd(p.port, 35, play=uploader), crowd(p.port, 120))


class Expires(peers.Backend):
    """Ends sessions when their token does."""

    async def watch(self, s, path):
        await asyncio.sleep(3.0)
        s.close_frame(4401, "token expired")


@incident("Tokens expire after 60 s", ("client", "upstream"), ("auth_expired",), 60)
async def token_expired(proxy):
    server = await backend(Expires)
    p = await proxy(server.port)
    await asyncio.gather(crowd(p.port, 50, seconds=8), crowd(p.port, 100, seconds=1.5))


@incident("A box behind ends connections at an age of 70 s", ("middlebox_back", "upstream"), ("max_lifetime",), 70)
async def max_lifetime(proxy):
    server = await backend()
    hop = box.Box(free_port(), server.port, lifetime=3.5)
    await hop.open()
    p = await proxy(hop.port)
    await asyncio.gather(crowd(p.port, 60, seconds=9), crowd(p.port, 100, seconds=1.5))


class Refuses(peers.Backend):
    async def answer(self, path, upgrade):
        return "403 Forbidden" if asyncio.get_running_loop().time() > self.until else await super().answer(path, upgrade)


@incident("From one moment on every upgrade is refused with 403", ("upstream", "client"), ("handshakes_refused",))
async def refused(proxy):
    server = await backend(Refuses)
    server.until = asyncio.get_running_loop().time() + 3
    p = await proxy(server.port)
    await crowd(p.port, 200, over=8)


class Ill(peers.Backend):
    """Resets sessions at random."""

    async def watch(self, s, path):
        await asyncio.sleep(random.uniform(0.2, 3))
        s.reset()


@incident("One of three instances has a backend that resets sessions", ("upstream",), ("bad_instance",))
async def bad_instance(proxy):
    well, ill = await backend(), await backend(Ill)
    ports = [(await proxy(server.port)).port for server in (well, ill, well)]
    await asyncio.gather(*(crowd(port, 80) for port in ports))


class Pours(peers.Backend):
    """Sends more than some clients read, and gives those up."""

    async def watch(self, s, path):
        if path != "/feed":
            return
        # More than all the buffers on the way hold.
        for _ in range(2000):
            s.send(TEXT, b"x" * 60000)
            try:
                async with asyncio.timeout(1.0):
                    await s.writer.drain()
            except TimeoutError:
                s.reset()
                return


@incident("Clients that do not read are given up", ("client", "network_client_side"), ("slow_consumer",))
async def slow_consumer(proxy):
    server = await backend(Pours)
    p = await proxy(server.port)

    async def sleeper(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port, "/feed", window=8192)
            # The transport reads on its own: only a paused one leaves the bytes in the kernel.
            s.reader._transport.pause_reading()
            await asyncio.sleep(5)
            s.reader._transport.resume_reading()
            while True:
                await s.frame()

    await asyncio.gather(crowd(p.port, 25, over=2, play=sleeper), crowd(p.port, 120))


@incident("A backend crashes four times", ("upstream",), ("crash_loop",))
async def crash_loop(proxy):
    server = await backend()
    p = await proxy(server.port)

    async def loop():
        for _ in range(4):
            await asyncio.sleep(2.5)
            await server.crash()
            await asyncio.sleep(0.2)
            await server.open()

    await asyncio.gather(*(crowd(p.port, 40, over=0.8 + 2.7 * i, seconds=4) for i in range(4)), loop())


class Confuses(peers.Backend):
    """Answers with a subprotocol that nobody offered."""

    async def answer(self, path, upgrade):
        return "101 Switching Protocols\r\nSec-WebSocket-Protocol: v2.chat"


@incident("A 101 selects a subprotocol that was not offered", ("upstream",), ("bad_handshake",))
async def bad_handshake(proxy):
    server = await backend(Confuses)
    p = await proxy(server.port)

    async def strict(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port, lines="Sec-WebSocket-Protocol: v1.chat\r\n")
            await s.leave()

    await crowd(p.port, 60, play=strict)


@incident("A NAT in front forgets connections after 40 s of silence", ("middlebox_front", "network_client_side"), ("silent_drop",))
async def silent_drop(proxy):
    server = await backend()
    p = await proxy(server.port)
    hop = box.Box(free_port(), p.port, forget=2.0)
    await hop.open()

    async def sparse(port):
        with contextlib.suppress(OSError, Ended, TimeoutError):
            s = await connect(port)
            await talk(s, random.uniform(0.3, 1))
            await asyncio.sleep(random.uniform(2.5, 6))
            s.send(TEXT, b"still there?")
            async with asyncio.timeout(2):
                while True:
                    await answered(s)

    await asyncio.gather(crowd(hop.port, 60, over=3, play=sparse), crowd(hop.port, 120, over=6))


@incident("Connections in front are reset at random", ("network_client_side", "middlebox_front"), ("random_resets",))
async def random_resets(proxy):
    server = await backend()
    p = await proxy(server.port)
    hop = box.Box(free_port(), p.port, chance=0.2)
    await hop.open()
    await crowd(hop.port, 200)


class Sheds(peers.Backend):
    async def watch(self, s, path):
        if random.random() < 0.4:
            await asyncio.sleep(random.uniform(0, 1))
            s.close_frame(1013, "try again later")


@incident("A backend sheds load with 1013", ("upstream",), ("overload",))
async def overload(proxy):
    server = await backend(Sheds)
    p = await proxy(server.port)
    await crowd(p.port, 200)


@incident("A box behind resets connections after 37 s of silence", ("middlebox_back", "upstream"), ("idle_cut",), 37)
async def back_idle_reset(proxy):
    server = await backend()
    hop = box.Box(free_port(), server.port, idle=1.85, resets=True)
    await hop.open()
    p = await proxy(hop.port)
    await asyncio.gather(crowd(p.port, 60, play=quiet), crowd(p.port, 120))


@incident("A box before 3 % of the clients cuts after 55 s of silence", ("middlebox_front", "network_client_side"), ("idle_cut",), 55)
async def few_are_cut(proxy):
    server = await backend()
    p = await proxy(server.port)
    hop = box.Box(free_port(), p.port, idle=2.75)
    await hop.open()
    await asyncio.gather(crowd(hop.port, 17, play=quiet), crowd(p.port, 550, over=9))


@incidents(
    "Two causes: a balancer in front cuts after 50 s of silence, and a handler fails on one kind of message",
    Found(("middlebox_front",), ("idle_cut",), 50),
    Found(("upstream",), ("handler_error",)),
)
async def two_causes(proxy):
    server = await backend(Trips)
    p = await proxy(server.port)
    hop = box.Box(free_port(), p.port, idle=2.5)
    await hop.open()
    await asyncio.gather(crowd(hop.port, 50, play=quiet), crowd(hop.port, 40, play=tripper), crowd(hop.port, 130))


class Deaf(peers.Backend):
    """Falls silent after a while, in some sessions: its event loop has lost them."""

    async def talk(self, s):
        lost = random.random() < 0.5 and s.opened + random.uniform(0.5, 2.5)
        while True:
            opcode, payload = await s.frame()
            if opcode == CLOSE:
                s.send(CLOSE, payload)
                return
            if not lost or asyncio.get_running_loop().time() < lost:
                s.send(TEXT, payload)


@incident("Clients whose heartbeats are not answered for 44 s give up", ("upstream",), ("heartbeat_timeout",), 44)
async def heartbeat(proxy):
    server = await backend(Deaf)
    p = await proxy(server.port)

    async def beating(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port, agent="phoenix.js/1.8")

            async def beats():
                while True:
                    s.send(TEXT, b"heartbeat")
                    await asyncio.sleep(0.4)

            beat = asyncio.create_task(beats())
            try:
                # For as long as it is answered within 2.2 s.
                for _ in range(random.randint(8, 20)):
                    async with asyncio.timeout(2.2):
                        await answered(s)
            except TimeoutError:
                pass
            finally:
                beat.cancel()
            await close(s, 1000)

    await crowd(p.port, 120, over=4, play=beating)


class TooMuch(peers.Backend):
    """Sends a message that is too much for some of its clients."""

    async def watch(self, s, path):
        if path == "/history":
            await asyncio.sleep(random.uniform(0.5, 2))
            s.send(TEXT, b"x" * 9000)


@incident("The backend sends messages that are too big for its clients", ("upstream",), ("message_too_big",))
async def too_big_for_clients(proxy):
    server = await backend(TooMuch)
    p = await proxy(server.port)

    async def reader(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port, "/history")
            while len((await answered(s))[1]) <= 8000:
                pass
            await close(s, 1009, "frame exceeds limit")

    await asyncio.gather(crowd(p.port, 30, play=reader), crowd(p.port, 120))


class Inflates(peers.Backend):
    """Agrees to compression, and cannot read what some clients send."""

    async def answer(self, path, upgrade):
        return "101 Switching Protocols\r\nSec-WebSocket-Extensions: permessage-deflate"

    async def talk(self, s):
        while True:
            opcode, payload = await s.frame()
            if opcode == CLOSE:
                if not s.closing:
                    s.send(CLOSE, payload)
                return
            if payload == b"not deflated":
                s.close_frame(1007, "")
            elif not s.closing:
                s.send(TEXT, payload)


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"


@incident("Clients send compressed messages that the backend cannot read", ("client",), ("compression_error",))
async def compression(proxy):
    server = await backend(Inflates)
    p = await proxy(server.port)

    async def compresses(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port, agent="legacy/0.9", lines=DEFLATE)
            await talk(s, random.uniform(0.5, 3))
            # A text message with RSV1, as the extension has it.
            s.writer.write(bytes([0xC1, 0x80 | 12]) + bytes(4) + b"not deflated")
            while True:
                await answered(s)

    await asyncio.gather(crowd(p.port, 30, play=compresses), crowd(p.port, 120, lines=DEFLATE))


class Strict(peers.Backend):
    """Answers a client's frame that is not masked with 1002 (RFC 6455, section 5.1)."""

    async def talk(self, s):
        while True:
            opcode, payload = await s.frame()
            if opcode == CLOSE:
                if not s.closing:
                    s.send(CLOSE, payload)
                return
            if payload == b"bare":
                s.close_frame(1002, "masking required")
            elif not s.closing:
                s.send(TEXT, payload)


@incident("Clients send frames that are not masked", ("client",), ("protocol_error",))
async def not_masked(proxy):
    server = await backend(Strict)
    p = await proxy(server.port)

    async def bare(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port, agent="homemade/0.1")
            await talk(s, random.uniform(0.5, 3))
            s.writer.write(bytes([0x81, 4]) + b"bare")
            while True:
                await answered(s)

    await asyncio.gather(crowd(p.port, 30, play=bare), crowd(p.port, 120))


@incident("A backend restarts and says nothing; its clients come back", ("upstream",), ("unannounced_restart",))
async def restart(proxy):
    server = await backend()
    p = await proxy(server.port)

    async def faithful(port):
        source, until = next(ADDRESS), asyncio.get_running_loop().time() + 8
        while (left := until - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(OSError, Ended):
                s = await connect(port, source=source, agent="app/1.4")
                await talk(s, left)
                await close(s, 1000)
                return
            await asyncio.sleep(random.uniform(0.1, 0.6))

    async def stop():
        await asyncio.sleep(4)
        # FIN, as from a process that exits. The next one has its listening socket, so nobody is refused.
        for s in list(server.sockets):
            s.writer.close()

    await asyncio.gather(crowd(p.port, 80, over=2, play=faithful), crowd(p.port, 100, over=8), stop())


# === Harmless days ===


@harmless("An ordinary day")
async def ordinary(proxy):
    server = await backend()
    p = await proxy(server.port)
    await crowd(p.port, 250)


@harmless("Phones fall asleep all the time")
async def phones(proxy):
    server = await backend()
    p = await proxy(server.port)

    async def phone(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port, agent="Mozilla/5.0 (iPhone) Safari/605.1")
            await talk(s, random.uniform(0.3, 6))
            await s.leave()

    await asyncio.gather(crowd(p.port, 120, play=phone), crowd(p.port, 120))


@harmless("A deploy that announces itself with 1012, and whose clients come back")
async def deploy(proxy):
    server = await backend()
    p = await proxy(server.port)

    async def faithful(port):
        source = next(ADDRESS)
        for _ in range(2):
            with contextlib.suppress(OSError, Ended):
                s = await connect(port, source=source, agent="app/1.4")
                await talk(s, 5)
                await close(s, 1000)
                return
            await asyncio.sleep(random.uniform(0.2, 1))

    async def announce():
        await asyncio.sleep(4)
        for s in list(server.sockets):
            s.close_frame(1012, "restart")

    await asyncio.gather(crowd(p.port, 80, over=2, play=faithful), crowd(p.port, 100), announce())


@harmless("The end of a load test: all clients of one address close at once")
async def load_test(proxy):
    server = await backend()
    p = await proxy(server.port)
    end = asyncio.get_running_loop().time() + 6

    async def virtual_user(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port, source="127.7.7.7", agent="k6/0.52")
            await talk(s, end - asyncio.get_running_loop().time())
            await close(s, 1000)

    await asyncio.gather(crowd(p.port, 150, over=2, play=virtual_user), crowd(p.port, 60))


@harmless("One client in a loop gets 1011 again and again")
async def one_client(proxy):
    server = await backend(Trips)
    p = await proxy(server.port)

    async def loops(port):
        until = asyncio.get_running_loop().time() + 8
        while asyncio.get_running_loop().time() < until:
            with contextlib.suppress(OSError, Ended):
                s = await connect(port, source="127.66.6.6", agent="broken/0.1")
                s.send(TEXT, b"trip")
                while True:
                    await answered(s)
            await asyncio.sleep(0.2)

    await asyncio.gather(loops(p.port), crowd(p.port, 200))


@harmless("closewatch itself drains")
async def own_drain(proxy):
    server = await backend()
    p = await proxy(server.port, "[timeouts]", 'drain = "0s"')

    async def stop():
        await asyncio.sleep(4)
        await asyncio.to_thread(p.stop)

    await asyncio.gather(crowd(p.port, 120, over=3, seconds=6), stop())


@harmless("Eight sessions of a small service, all cut")
async def low_traffic(proxy):
    server = await backend(Ill)
    p = await proxy(server.port)
    await crowd(p.port, 8, seconds=4)


@harmless("The end of a batch: the upstream closes two hundred sessions with 1000")
async def batch(proxy):
    server = await backend()
    p = await proxy(server.port)

    async def done():
        await asyncio.sleep(5)
        for s in list(server.sockets):
            s.close_frame(1000, "done")

    await asyncio.gather(crowd(p.port, 200, over=2, seconds=9, agent="worker/1.0"), done())


@harmless("Clients that close idle sessions themselves")
async def own_idle_policy(proxy):
    server = await backend()
    p = await proxy(server.port)

    async def thrifty(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port)
            await talk(s, random.uniform(0.5, 3))
            await asyncio.sleep(2)
            await close(s, 1000, "idle")

    await asyncio.gather(crowd(p.port, 80, play=thrifty), crowd(p.port, 100))


@harmless("Browsers that navigate all at once, when a page sends them away")
async def navigation(proxy):
    server = await backend()
    p = await proxy(server.port)
    end = asyncio.get_running_loop().time() + 5

    async def page(port):
        with contextlib.suppress(OSError, Ended):
            s = await connect(port, agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
            await talk(s, end - asyncio.get_running_loop().time())
            await close(s, 1001)

    await asyncio.gather(crowd(p.port, 150, over=2, play=page), crowd(p.port, 60))


@harmless("A rolling deploy: three backends close with 1001, one after the other, and clients come back")
async def rolling_deploy(proxy):
    servers = [await backend() for _ in range(3)]
    proxies = [await proxy(server.port) for server in servers]

    async def faithful(port):
        source, until = next(ADDRESS), asyncio.get_running_loop().time() + 8
        while (left := until - asyncio.get_running_loop().time()) > 0:
            with contextlib.suppress(OSError, Ended):
                s = await connect(port, source=source)
                await talk(s, left)
                await close(s, 1000)
                return
            await asyncio.sleep(random.uniform(0.2, 0.8))

    async def roll():
        for server in servers:
            await asyncio.sleep(1.6)
            for s in list(server.sockets):
                s.close_frame(1001, "")

    await asyncio.gather(*(crowd(p.port, 40, over=1.5, play=faithful) for p in proxies), crowd(proxies[0].port, 60), roll())
