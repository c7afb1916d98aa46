"""The scenes: faults between hosts, and the one record that each session must leave."""

import asyncio
import fcntl
import json
import os
import struct
import sys
import termios
import time
from pathlib import Path

from records import read
from world import CLOSE, DEAD_PEER, PATIENCE, PING, PONG, PORT, TEXT, UPSTREAM, Ended

# Seconds within which a dead peer must be found: the limit, and five more.
NOTICED = DEAD_PEER + 5


def check(record, **expected):
    found = {key: record[key] for key in expected}
    assert found == expected, "record says %s, not %s: %s" % (found, expected, json.dumps(record))


async def heard(s, opcode=TEXT):
    """Reads the next frame, which must have this opcode, and returns its payload."""
    found, payload = await asyncio.wait_for(s.frame(), PATIENCE)
    assert found == opcode, "opcode %d, not %d" % (found, opcode)
    return payload


async def over(s):
    """Waits for the end of the transport, and returns `fin` or `reset`. No byte may come before it."""
    try:
        rest = await asyncio.wait_for(s.reader.read(), PATIENCE)
        assert rest == b"", "%d bytes more" % len(rest)
        return "fin"
    except ConnectionResetError:
        return "reset"


async def gone(s):
    """Waits for the end of the transport, in whatever way it comes, and closes this side."""
    try:
        opcode, _ = await asyncio.wait_for(s.frame(), PATIENCE)
        raise AssertionError("opcode %d from a dead peer" % opcode)
    except Ended:
        await s.leave()


async def close(first, second, code=1000):
    """Plays a whole closing handshake."""
    first.close_frame(code, "bye")
    second.send(CLOSE, await heard(second, CLOSE))
    await heard(first, CLOSE)
    for s in (second, first):
        await s.leave()


async def talk(client, upstream, messages=1):
    """Sends messages both ways before any is read, and checks that all arrive in order."""
    texts = [b"%06d" % number for number in range(messages)]
    for text in texts:
        client.send(TEXT, text)
        upstream.send(TEXT, text)
    for s in (client, upstream):
        for text in texts:
            assert await heard(s) == text


async def pulled(world, which, speaks):
    """The cable of one peer is pulled. With `speaks` the other peer goes on sending; else all are silent."""
    backend, proxy = await world.serve(), await world.closewatch()
    client, upstream = await world.session(backend)
    await talk(client, upstream)
    link, other = (world.client_link, upstream) if which == "client" else (world.upstream_link, client)
    link.cut = True
    began = time.monotonic()
    if speaks:
        other.send(TEXT, b"anybody there?")
    record = await proxy.record()
    assert time.monotonic() - began < NOTICED, "noticed after %.1f s" % (time.monotonic() - began)
    check(record, code=1006, initiator=which, cause=which + "_timeout", **{"class": "abnormal"})
    assert record[which]["end"] == "timeout"
    assert record["client" if which == "upstream" else "upstream"]["end"] == "local"


async def client_pulled_while_it_is_spoken_to(world):
    await pulled(world, "client", True)


async def client_pulled_while_all_are_silent(world):
    await pulled(world, "client", False)


async def upstream_pulled_while_it_is_spoken_to(world):
    await pulled(world, "upstream", True)


async def upstream_pulled_while_all_are_silent(world):
    await pulled(world, "upstream", False)


async def cable_back_in_time(world):
    """A cable that is pulled for less than the limit ends no session."""
    backend, proxy = await world.serve(), await world.closewatch()
    client, upstream = await world.session(backend)
    for link in (world.client_link, world.upstream_link):
        link.cut = True
        for s in (client, upstream):
            s.send(TEXT, b"meanwhile")
        await asyncio.sleep(1)
        link.cut = False
        for s in (client, upstream):
            assert await heard(s) == b"meanwhile"
    await close(client, upstream)
    check(await proxy.record(), code=1000, initiator="client", cause="close_handshake", handshake="complete")


async def lossy(world):
    """One packet in ten is lost."""
    backend, proxy = await world.serve(), await world.closewatch()
    client, upstream = await world.session(backend)
    world.client_link.loss = world.upstream_link.loss = 0.1
    for _ in range(20):
        await talk(client, upstream, 20)
    # The Close and its answer are resent too. The last FIN may be lost, so it is not awaited.
    await close(upstream, client, 1012)
    record = await proxy.record()
    check(record, code=1012, initiator="upstream", cause="close_handshake", handshake="complete")
    assert record["client"]["text_messages"] == record["upstream"]["text_messages"] == 400


async def far_away_and_out_of_order(world):
    """A delay of 80 to 120 ms each way, so that packets overtake each other."""
    backend, proxy = await world.serve(), await world.closewatch()
    world.client_link.delay, world.client_link.jitter = 0.08, 0.04
    client, upstream = await world.session(backend)
    for _ in range(5):
        await talk(client, upstream, 100)
    upstream.send(PING, b"?")
    client.send(PONG, await heard(client, PING))
    await heard(upstream, PONG)
    await close(client, upstream, 4001)
    record = await proxy.record()
    check(record, code=4001, initiator="client", cause="close_handshake", handshake="complete")
    assert 160 <= record["client"]["ping_rtt_ms"] < 1000, record["client"]["ping_rtt_ms"]
    assert record["client"]["text_messages"] == record["upstream"]["text_messages"] == 500


async def reset_between(world, which):
    """A box between two hosts sends each an RST in the name of the other."""
    backend, proxy = await world.serve(), await world.closewatch()
    client, upstream = await world.session(backend)
    await talk(client, upstream, 50)
    (world.client_link if which == "client" else world.upstream_link).resets = True
    for s in (client, upstream):
        s.send(TEXT, b"still there?")
    record = await proxy.record()
    check(record, code=1006, initiator=which, cause=which + "_reset", handshake="none", **{"class": "abnormal"})
    assert record[which]["end"] == "reset"
    victim = client if which == "client" else upstream
    assert await over(victim) == "reset"


async def client_reset_between(world):
    await reset_between(world, "client")


async def upstream_reset_between(world):
    await reset_between(world, "upstream")


async def reset_behind_a_1011_on_a_slow_line(world):
    """A backend fails: it sends data, Close 1011 and RST, faster than the client can read. All of it arrives, in order."""
    backend, proxy = await world.serve(), await world.closewatch()
    client, upstream = await world.session(backend)
    world.client_link.rate = 50_000
    for _ in range(12):
        upstream.send(TEXT, b"x" * 8192)
    upstream.close_frame(1011, "fault")
    await acknowledged(upstream)
    upstream.reset()
    for _ in range(12):
        assert len(await heard(client)) == 8192
    assert await heard(client, CLOSE) == struct.pack(">H", 1011) + b"fault"
    assert await over(client) == "reset"
    record = await proxy.record()
    check(record, code=1011, initiator="upstream", cause="close_unanswered", handshake="half", **{"class": "abnormal"})
    assert record["client"]["saw"]["code"] == 1011 and record["upstream"]["end"] == "reset"


async def acknowledged(s):
    """Waits until the other end's kernel has acknowledged all that was sent. An RST discards the rest."""
    await s.writer.drain()
    raw = s.writer.get_extra_info("socket")
    until = time.monotonic() + PATIENCE
    while s.writer.transport.get_write_buffer_size() or struct.unpack(
        "i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    )[0]:
        assert time.monotonic() < until, "not acknowledged"
        await asyncio.sleep(0.01)


async def mtu_black_hole(world):
    """Large packets are dropped silently, small ones pass: the session opens, and its first large message kills it."""
    backend, proxy = await world.serve(), await world.closewatch()
    client, upstream = await world.session(backend)
    await talk(client, upstream)
    world.client_link.largest = 600
    upstream.send(TEXT, b"x" * 20_000)
    began = time.monotonic()
    record = await proxy.record()
    assert time.monotonic() - began < NOTICED
    check(record, code=1006, initiator="client", cause="client_timeout", **{"class": "abnormal"})
    assert record["client"]["tcp"]["retransmits"] > 0 and record["client"]["undelivered_bytes"] > 0


async def slow_line(world):
    """A line that needs much longer than the limit to carry what was sent is slow, not dead."""
    backend, proxy = await world.serve(), await world.closewatch()
    client, upstream = await world.session(backend)
    world.client_link.rate = 20_000
    for _ in range(25):
        upstream.send(TEXT, b"x" * 8192)
    for _ in range(25):
        assert len(await heard(client)) == 8192
    await close(client, upstream)
    record = await proxy.record()
    check(record, code=1000, initiator="client", cause="close_handshake", handshake="complete")
    assert record["duration_ms"] > DEAD_PEER * 1000


async def paused_reader(world):
    """A client that does not read for longer than the limit has closed its window, and is not dead."""
    backend, proxy = await world.serve(), await world.closewatch()
    client, upstream = await world.session(backend)
    client.reader._transport.pause_reading()
    for _ in range(200):
        upstream.send(TEXT, b"x" * 32_768)
    await asyncio.sleep(DEAD_PEER * 2)
    client.reader._transport.resume_reading()
    for _ in range(200):
        assert len(await heard(client)) == 32_768
    await close(client, upstream)
    record = await proxy.record()
    check(record, code=1000, initiator="client", cause="close_handshake", handshake="complete")
    assert record["client"]["stalled_ms"] > DEAD_PEER * 1000


async def upstream_killed(world, sessions=1000):
    """SIGKILL of a backend with a thousand sessions: its kernel ends the connections."""
    words = [sys.executable, Path(__file__).with_name("backend.py"), UPSTREAM, str(PORT)]
    backend = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", world.upstream.name, *words, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await asyncio.wait_for(backend.stdout.readline(), PATIENCE) == b"listening\n"
        proxy = await world.closewatch()
        clients = []
        while len(clients) < sessions:
            clients += await asyncio.gather(*(world.dial() for _ in range(50)))
        for s in clients:
            s.send(TEXT, b"hello")
        for s in clients:
            assert await heard(s) == b"hello"
        backend.kill()
        for s in clients:
            await gone(s)
        records = [await proxy.record() for _ in clients]
    finally:
        if backend.returncode is None:
            backend.kill()
        await backend.wait()
    for record in records:
        assert record["cause"] in ("upstream_eof", "upstream_reset")
        check(record, code=1006, initiator="upstream", handshake="none", **{"class": "abnormal"})
        assert record["client"]["text_messages"] == record["upstream"]["text_messages"] == 1
    assert len({record["session"] for record in records}) == sessions


async def closewatch_killed(world):
    """SIGKILL of closewatch while it writes records, three times. No line of its log runs into another or comes twice, and only
    sessions that were live have no record."""
    backend = await world.serve()
    log = world.folder / "closes.jsonl"
    sure = 0
    for _ in range(3):
        proxy = await world.closewatch("--close-log", log)
        sessions = [await world.session(backend) for _ in range(150)]
        # A hundred end as fast as they can; fifty stay live.
        ending, living = sessions[:100], sessions[100:]
        for number, (client, upstream) in enumerate(ending):
            await close(client, upstream)
            if number == 50:
                # These records are known to be written.
                await written(log, sure + 25)
        await proxy.kill()
        sure += 25
        for s in (end for session in living for end in session):
            await gone(s)
    lines = log.read_bytes().splitlines()
    records = []
    for line in lines:
        try:
            records.append(read(line))
        except ValueError:
            # The kill has cut this line off. Then nothing may follow it.
            assert b'{"schema"' not in line[1:], line
    ids = [record["session"] for record in records]
    assert len(set(ids)) == len(ids), "a record was written twice"
    assert sure <= len(ids) <= 300, len(ids)
    for record in records:
        check(record, code=1000, initiator="client", handshake="complete")


async def written(log, records):
    until = time.monotonic() + PATIENCE
    while not log.exists() or log.read_bytes().count(b"\n") < records:
        assert time.monotonic() < until, "the close log does not grow"
        await asyncio.sleep(0.01)


async def clock_stepped(world):
    """The wall clock jumps a day ahead, then two back, during sessions. Durations do not change."""
    library = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
    assert library, "libfaketime is missing: Debian package faketime"
    clock = world.folder / "clock"
    clock.write_text("+0")
    backend = await world.serve()
    proxy = await world.closewatch(
        environment={
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    )
    for step in ("+1d", "-1d"):
        client, upstream = await world.session(backend)
        await talk(client, upstream)
        clock.write_text(step)
        await talk(client, upstream)
        await close(client, upstream)
        record = await proxy.record()
        check(record, code=1000, initiator="client", cause="close_handshake", handshake="complete")
        assert 0 < record["duration_ms"] < PATIENCE * 1000
        assert 0 <= record["idle_ms"] <= record["duration_ms"]
        # The step shows in the time of the line, and nowhere else.
        day = "%d" % (time.time() + 86400 * (1 if step[0] == "+" else -1))
        assert record["time"][:10] == time.strftime("%Y-%m-%d", time.gmtime(int(day)))


SCENES = [
    client_pulled_while_it_is_spoken_to,
    client_pulled_while_all_are_silent,
    upstream_pulled_while_it_is_spoken_to,
    upstream_pulled_while_all_are_silent,
    cable_back_in_time,
    lossy,
    far_away_and_out_of_order,
    client_reset_between,
    upstream_reset_between,
    reset_behind_a_1011_on_a_slow_line,
    mtu_black_hole,
    slow_line,
    paused_reader,
    upstream_killed,
    closewatch_killed,
    clock_stepped,
]
