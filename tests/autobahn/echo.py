"""`echo.py websockets|aiohttp`: reads URLs, each a JSON string on a line of standard input, and echoes there until the session
ends. Then it prints how the session ended."""

import asyncio
import json
import sys

import aiohttp
import websockets


async def with_websockets(url):
    ws = await websockets.connect(url, max_size=None, ping_interval=None, compression="deflate", proxy=None)
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosed:
        pass
    await ws.wait_closed()
    return {"code": ws.close_code, "reason": ws.close_reason}


async def with_aiohttp(url):
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0, compress=15) as ws:
        async for message in ws:
            if message.type == aiohttp.WSMsgType.TEXT:
                await ws.send_str(message.data)
            elif message.type == aiohttp.WSMsgType.BINARY:
                await ws.send_bytes(message.data)
        return {"code": ws.close_code}


async def main():
    session = {"websockets": with_websockets, "aiohttp": with_aiohttp}[sys.argv[1]]
    while url := (await asyncio.to_thread(sys.stdin.readline)).strip():
        try:
            ended = await session(json.loads(url))
        except (OSError, websockets.WebSocketException, aiohttp.ClientError) as error:
            ended = {"error": repr(error)}
        print(json.dumps(ended), flush=True)


asyncio.run(main())
