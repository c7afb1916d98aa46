"""nginx as a WebSocket proxy. The time through closewatch is compared with the time through it."""

import asyncio
import os
import socket
from pathlib import Path

FOLDER = Path(".work/autobahn/nginx").absolute()
CONFIGURATION = """
daemon off; worker_processes 1; user root; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen {listen};
        location / {{
            proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; proxy_read_timeout 1h;
            proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
        }}
    }}
}}
"""


class Nginx:
    """nginx in front of the port `upstream`, for the duration of an `async with` block.

    It is a master with one worker: nginx as a single process crashes when it inherits a listening socket."""

    def __init__(self, upstream):
        self.upstream = upstream

    async def __aenter__(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        # nginx cannot listen on port 0. But it inherits a listening socket, as if from an older instance of itself.
        with socket.create_server(("127.0.0.1", 0), backlog=511) as listening:
            self.port = listening.getsockname()[1]
            configuration = FOLDER / "nginx.conf"
            configuration.write_text(CONFIGURATION.format(folder=FOLDER, listen=f"127.0.0.1:{self.port}", upstream=self.upstream))
            self.child = await asyncio.create_subprocess_exec(
                ".work/nginx/usr/sbin/nginx", "-p", FOLDER, "-e", FOLDER / "error.log", "-c", configuration,
                env={**os.environ, "NGINX": f"{listening.fileno()};"}, pass_fds=[listening.fileno()],
            )
        return self

    async def __aexit__(self, *_):
        self.child.terminate()
        await self.child.wait()
