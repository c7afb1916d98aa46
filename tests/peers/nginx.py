"""nginx as a proxy: the reference that closewatch is compared with."""

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
    """nginx in front of the port `upstream`, for the duration of an `async with` block. Its files are in `folder`.

    It is a master with one worker: nginx as a single process crashes when it inherits a listening socket."""

    def __init__(self, upstream, configuration=CONFIGURATION, folder=FOLDER):
        self.upstream, self.configuration, self.folder = upstream, configuration, folder

    async def __aenter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        # nginx cannot listen on port 0. But it inherits a listening socket, as if from an older instance of itself.
        with socket.create_server(("127.0.0.1", 0), backlog=511) as listening:
            self.port = listening.getsockname()[1]
            file = self.folder / "nginx.conf"
            file.write_text(self.configuration.format(folder=self.folder, listen=f"127.0.0.1:{self.port}", upstream=self.upstream))
            self.child = await asyncio.create_subprocess_exec(
                ".work/nginx/usr/sbin/nginx", "-p", self.folder, "-e", self.folder / "error.log", "-c", file,
                env={**os.environ, "NGINX": f"{listening.fileno()};"}, pass_fds=[listening.fileno()],
            )
        return self

    async def __aexit__(self, *_):
        self.child.terminate()
        await self.child.wait()
