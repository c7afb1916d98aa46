"""A Python application (aiohttp) for tests/exchanges: see README.md."""

import asyncio
import os
import sys
import weakref

from aiohttp import hdrs, web
from peer import emit

# By connection: the `user` it belongs to, `rounds` of NTLM so far, and whether it has `answered` before.
CONNECTIONS = weakref.WeakKeyDictionary()
NTLM = {"WWW-Authenticate": "NTLM"}


def connection_of(request):
    return CONNECTIONS.setdefault(request.transport, {"rounds": 0})


async def user(request):
    """As NTLM: what is proved once, belongs to the connection."""
    connection, said = connection_of(request), request.headers.get("Authorization")
    if said == "NTLM hello":
        connection["rounds"] = 1
        return web.Response(status=401, headers={"WWW-Authenticate": "NTLM challenge"})
    if said == "NTLM proof" and connection["rounds"] == 1:
        connection["user"] = "alice"
    if "user" not in connection:
        return web.Response(status=401, headers=NTLM)
    if "Upgrade" in request.headers:
        return await session(request, connection["user"])
    return web.Response(text=connection["user"])


async def secure(request):
    if request.headers.get("X-Forwarded-Proto") != "https":
        return web.Response(status=301, headers={"Location": f"https://{request.host}/secure"})
    return web.Response(text=f"{request.headers['X-Forwarded-For']} {request.headers['X-Forwarded-Host']}")


async def hints(request):
    # aiohttp has no word for them.
    link = b"Link: </a.css>; rel=preload; as=style"
    request.transport.write(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n" + link + b"\r\n\r\n")
    return web.Response(text="hints")


async def target(request):
    if "Upgrade" in request.headers:
        return await session(request, request.raw_path)
    return web.Response(text=request.raw_path)


async def session(request, reason):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.close(code=1000, message=reason.encode())
    return socket


async def websocket_only(_request):
    return web.Response(status=426, headers={"Upgrade": "websocket", "Connection": "Upgrade"}, text="upgrade")


async def upload(request):
    return web.Response(text=str(len(await request.read())))


async def refused_upload(_request):
    return web.Response(status=413, headers={"Connection": "close"}, text="too much")


async def no_word(_request):
    """Does not ask for the body of a request that waits to be asked."""


async def once(request):
    """Its connection ends, if it has answered before."""
    connection = connection_of(request)
    if "answered" in connection:
        request.transport.abort()
    connection["answered"] = True
    return web.Response(text="once")


async def events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number in (1, 2):
        await response.write(f"data: {number}\n\n".encode())
    return response


async def empty(_request):
    return web.Response(status=204)


async def options(_request):
    return web.Response(headers={"Allow": "GET, OPTIONS"})


async def main():
    application = web.Application()
    for method, path, answer, more in [
        ("GET", "/user", user, {}), ("GET", "/secure", secure, {}), ("GET", "/target", target, {}),
        (hdrs.METH_ANY, "/hints", hints, {}), ("GET", "/websocket-only", websocket_only, {}), ("POST", "/upload", upload, {}),
        ("POST", "/refused-upload", refused_upload, {"expect_handler": no_word}), (hdrs.METH_ANY, "/once", once, {}),
        ("GET", "/events", events, {}), ("GET", "/empty", empty, {}), ("OPTIONS", "/{all:.*}", options, {}),
    ]:
        application.router.add_route(method, path, answer, **more)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    await site.start()
    emit({"listening": runner.addresses[0][1]})
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    os._exit(0)


asyncio.run(main())
