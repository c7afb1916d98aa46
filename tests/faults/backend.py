"""An echo server in a process that can be killed: `backend.py ADDRESS PORT`. Prints a line when it listens."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "simulate"))
from peers import Backend  # noqa: E402


async def main(address, port):
    backend = Backend(int(port))
    backend.server = await asyncio.start_server(backend.serve, address, backend.port, backlog=2048)
    print("listening", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
