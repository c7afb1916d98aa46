"""An `aiohttp` client that ends its sessions as asked, or waits for the server to: see README.md."""

import asyncio
import json
import os
import signal
import socket
import struct
import sys

import aiohttp
from peer import emit, name_of

# Longest session in seconds: far longer than a session takes, shorter than a test waits for it.
SESSION_SECONDS = 30


async def close(ws, code, reason=""):
    await ws.close(code=int(code), message=reason.encode())


async def terminate(ws):
    ws.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


async def reset(ws):
    ws.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ws._response.connection.transport.abort()


async def wait(ws):
    await ws.send_str("go")


async def kill(_ws):
    os.kill(os.getpid(), signal.SIGKILL)


ACTIONS = {"close": close, "terminate": terminate, "reset": reset, "wait": wait, "kill": kill}


async def session(http, url, action, *parameters):
    async with asyncio.timeout(SESSION_SECONDS), http.ws_connect(url) as ws:
        await ws.send_str("hello")
        await ws.receive_str()
        await ACTIONS[action](ws, *parameters)
        message = await ws.receive()
        # The library keeps the reason of a Close that it waited for in the message. It keeps no reason for other Closes.
        reason = message.extra if message.type is aiohttp.WSMsgType.CLOSE else None
        emit({"event": "closed", "code": ws.close_code, "reason": reason, "clean": None, "error": name_of(ws.exception())})


async def main(asked):
    try:
        async with aiohttp.ClientSession() as http:
            if asked:
                await session(http, *asked)
            while not asked and (line := await asyncio.to_thread(sys.stdin.readline)):
                await session(http, *json.loads(line))
    except Exception as error:
        emit({"event": "failed", "error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


asyncio.run(main(sys.argv[1:]))
