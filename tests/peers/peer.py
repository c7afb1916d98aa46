"""Shared by the Python peers: JSON lines, endings that `websockets` has no call for, and its report of an ending."""

import errno
import json
import socket
import struct
import sys

try:
    from websockets.exceptions import ConnectionClosed
except ModuleNotFoundError:
    sys.exit("websockets is missing: run tests/run first")


def emit(value):
    """Writes one JSON line."""
    print(json.dumps(value), flush=True)


async def close_empty(ws):
    """Sends a Close without a body: `close()` always gives a code."""
    try:
        async with ws.send_context():
            ws.protocol.send_close()
    except ConnectionClosed:
        pass  # as in `close()`: the connection is closed already


async def terminate(ws):
    """Ends the connection without a Close."""
    ws.transport.abort()


async def reset(ws):
    """Ends the connection with RST, by closing the socket with a linger time of zero."""
    ws.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ws.transport.abort()


async def closed(ws):
    """Waits for the end of the session, and returns the report of the library."""
    await ws.wait_closed()
    end = ws.close_exc
    return {
        "event": "closed",
        "code": ws.close_code,
        "reason": ws.close_reason,
        "clean": end.rcvd is not None and end.sent is not None,
        "error": name_of(end.__cause__),
    }


def name_of(cause):
    """The symbol of a system error, as Node names it; for another exception the name of its type."""
    if isinstance(cause, OSError) and cause.errno in errno.errorcode:
        return errno.errorcode[cause.errno]
    return None if cause is None else type(cause).__name__
