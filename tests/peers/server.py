"""A `websockets` server. The request path says how each session ends: see README.md."""

import asyncio
import http
import os
import signal
import ssl
import sys
from urllib.parse import unquote

from peer import close_empty, closed, emit, reset, terminate
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


class ApplicationError(Exception):
    """An exception in the handler of an application."""


async def close(ws, code, reason=""):
    await ws.close(int(code), reason)


async def echo_only(_ws):
    pass


async def fail(_ws):
    raise ApplicationError


async def exit_process(_ws):
    os.kill(os.getpid(), signal.SIGKILL)


ENDINGS = {
    "echo": echo_only,
    "close": close,
    "close-empty": close_empty,
    "terminate": terminate,
    "reset": reset,
    "exception": fail,
    "exit": exit_process,
}


def ending_of(target):
    path = target.split("?", 1)[0]
    name, *parameters = (unquote(part) for part in path[1:].split("/"))
    return path, name, parameters


async def report(ws):
    path, _, _ = ending_of(ws.request.path)
    emit({"path": path, **await closed(ws)})


def refuse_unknown(ws, request):
    if ending_of(request.path)[1] not in ENDINGS:
        return ws.respond(http.HTTPStatus.NOT_FOUND, "no such ending\n")
    return None


async def main():
    reports = set()

    async def handle(ws):
        # Not inside the handler: the library ends the session only after the handler has returned or failed.
        task = asyncio.create_task(report(ws))
        reports.add(task)
        task.add_done_callback(reports.discard)

        _, name, parameters = ending_of(ws.request.path)
        try:
            async for message in ws:
                if message == "go":
                    await ENDINGS[name](ws, *parameters)
                else:
                    await ws.send(message)
        except ConnectionClosed:
            pass

    tls = None
    if "PEER_TLS_CERT" in os.environ:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(os.environ["PEER_TLS_CERT"], os.environ["PEER_TLS_KEY"])

    async with serve(handle, "127.0.0.1", 0, ssl=tls, process_request=refuse_unknown) as server:
        emit({"listening": server.sockets[0].getsockname()[1]})
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
        os._exit(0)


asyncio.run(main())
