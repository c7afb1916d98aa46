"""An ASGI application under hypercorn. The request path says how each session ends: see README.md."""

import asyncio
import os
import signal
import socket
import sys
from urllib.parse import unquote

from hypercorn.asyncio import serve
from hypercorn.config import Config
from peer import emit


async def application(scope, receive, send):
    if scope["type"] != "websocket":
        return
    path = scope["raw_path"].decode()
    name, *parameters = (unquote(part) for part in path[1:].split("/"))
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "go" and name == "close":
            await send({"type": "websocket.close", "code": int(parameters[0]), "reason": (parameters + [""])[1]})
        elif message.get("text") == "go" and name == "exit":
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
    emit({"event": "closed", "path": path, "code": message.get("code"), "reason": message.get("reason"), "clean": None, "error": None})


async def main():
    listening = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listening.fileno()}"]
    config.websocket_max_message_size = 1 << 30
    config.accesslog = config.errorlog = None
    emit({"listening": listening.getsockname()[1]})
    server = asyncio.create_task(serve(application, config))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    server.cancel()
    os._exit(0)


asyncio.run(main())
