"""A `websockets` client that ends its sessions as asked, or waits for the server to: see README.md."""

import asyncio
import json
import os
import signal
import sys

from peer import close_empty, closed, emit, reset, terminate
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

# Longest session in seconds: far longer than a session takes, shorter than a test waits for it.
SESSION_SECONDS = 30


async def close(ws, code, reason=""):
    await ws.close(int(code), reason)


async def wait(ws):
    await ws.send("go")


async def half_close(ws):
    ws.transport.write_eof()


async def kill(_ws):
    os.kill(os.getpid(), signal.SIGKILL)


ACTIONS = {
    "close": close,
    "close-empty": close_empty,
    "terminate": terminate,
    "reset": reset,
    "wait": wait,
    "half-close": half_close,
    "kill": kill,
}


async def session(url, action, *parameters):
    if action not in ACTIONS:
        raise ValueError(f"usage: URL {'|'.join(ACTIONS)} [CODE [REASON]]")
    async with asyncio.timeout(SESSION_SECONDS):
        ws = await connect(url, proxy=None)
        await ws.send("hello")
        await ws.recv()
        try:
            await ACTIONS[action](ws, *parameters)
        except ConnectionClosed:
            pass  # `closed` reports the same
        emit(await closed(ws))


async def main(asked):
    try:
        if asked:
            await session(*asked)
        while not asked and (line := await asyncio.to_thread(sys.stdin.readline)):
            await session(*json.loads(line))
    except Exception as error:
        emit({"event": "failed", "error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


asyncio.run(main(sys.argv[1:]))
