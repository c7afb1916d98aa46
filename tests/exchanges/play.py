"""`play.py BINARY`: the exchanges of exchanges.py with a Node and a Python application: directly, through nginx, and through closewatch.

Through closewatch an application has to be answered as it is directly. nginx is the reference: for what has no direct answer, and for
what cannot be had through a proxy. Exits with 1 if anything differs that is not named here.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

from children import Closewatch, Server
from client import Client
from exchanges import EXCHANGES
from nginx import Nginx

BACKENDS = {
    "node": ["node", "tests/exchanges/backend.mjs"],
    "python": [".work/python/bin/python", "tests/exchanges/backend.py"],
}

# Exchanges that only a proxy can be asked for: there closewatch has to do as nginx does.
LIKE_NGINX = {"A kept upstream connection that ends without an answer"}

# Requests that nginx does not pass at all: it waits for ever.
NOT_BY_NGINX = {"Answers before the answer"}

# Where nginx, without any module, does other than the application: closewatch does not.
NGINX_DIFFERS = {
    "NTLM on plain requests, and a stranger behind it": "its upstream connections are anybody's",
    "NTLM on the upgrade itself": "its upstream connections are anybody's",
    "426, which says what to upgrade to": "it drops Upgrade",
    "Expect: 100-continue, and the body is refused": "it asks for the body itself",
    "OPTIONS *": "it answers 400",
}

NGINX = """
daemon off; worker_processes 1; user root; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream application {{ server 127.0.0.1:{upstream}; keepalive 8; }}
    server {{
        listen {listen};
        location / {{
            proxy_pass http://application; proxy_http_version 1.1; proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""


# Seconds until requests go where the upstream's name leads. An answer of the resolver is good for 5.
MOVES_WITHIN = 15


async def played(exchange, port):
    """All answers of an exchange with the application behind `port`."""
    opened = []

    async def connect():
        opened.append(await Client.connect(port))
        return opened[-1]

    try:
        return [answer async for answer in exchange(connect)]
    finally:
        for client in opened:
            client.close()


async def compare(binary, name, command, unequal):
    """Yields each difference, as a line. Titles of exchanges in which nginx differs are added to `unequal`."""
    async with contextlib.AsyncExitStack() as stack:
        backend = await Server(name, command).start()
        stack.push_async_callback(backend.stop)
        nginx = await stack.enter_async_context(Nginx(backend.port, NGINX, Path(".work/exchanges/nginx-" + name).absolute()))
        front = await Closewatch("closewatch", []).front(binary, backend.port)
        stack.push_async_callback(front.stop)
        for title, exchange in EXCHANGES:
            ways = {"direct": backend.port, "closewatch": front.port}
            if title not in NOT_BY_NGINX:
                ways["nginx"] = nginx.port
            through = {way: await played(exchange, port) for way, port in ways.items()}
            measure = "nginx" if title in LIKE_NGINX else "direct"
            if through["closewatch"] != through[measure]:
                yield f"{name}: {title}\n  {measure}: {through[measure]}\n  closewatch: {through['closewatch']}"
            if measure == "direct" and through.get("nginx", through["direct"]) != through["direct"]:
                unequal.add(title)
                if title not in NGINX_DIFFERS:
                    yield f"{name}: {title}\n  direct: {through['direct']}\n  nginx: {through['nginx']}"


async def moved(binary):
    """The upstream's name has two addresses, of which one answers, and comes to mean those of another upstream, which is reached by
    IPv6. Yields each mistake, as a line."""
    async with contextlib.AsyncExitStack() as stack:
        before = await Server("python", [*BACKENDS["python"], "127.0.0.2"]).start()
        stack.push_async_callback(before.stop)
        after = await Server("python", [*BACKENDS["python"], "::1", str(before.port)]).start()
        stack.push_async_callback(after.stop)
        hosts = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "hosts"
        hosts.write_text("127.0.0.3 backend.test\n127.0.0.2 backend.test\n")
        front = Closewatch("closewatch", [])
        # A mount namespace of its own, in which /etc/hosts is that file.
        alone = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        bound = ["sh", "-c", f'mount --bind "{hosts}" /etc/hosts && exec "$@"', "sh"]
        await front.front(binary, before.port, host="backend.test", within=[*alone, *bound])
        stack.push_async_callback(front.stop)

        polling = await Client.connect(front.port)
        for lines in ("Authorization: NTLM hello\r\n", "Authorization: NTLM proof\r\n"):
            await polling.ask("GET", "/user", lines)
        if (answer := await polling.ask("GET", "/user"))[0] != 200:
            yield f"the kept connection is not used: {answer}"
        # In place: a new file would not be what is mounted.
        with open(hosts, "w") as file:
            file.write("127.0.0.3 backend.test\n::1 backend.test\n")
        began = time.monotonic()
        # The backend at the new address does not know the connection.
        while (await polling.ask("GET", "/user"))[0] == 200:
            if time.monotonic() > began + MOVES_WITHIN:
                yield f"{MOVES_WITHIN} s behind the change of its name, requests still go to the old address"
                break
            await asyncio.sleep(0.1)
        await before.stop()
        for what in (await polling.ask("GET", "/empty"), await polling.upgrade("/target?moved")):
            if what == "gone" or what[0] not in (204, 101):
                yield f"at the new address: {what}"


async def collect(lines):
    return [line async for line in lines]


async def main():
    binary, began, unequal = sys.argv[1], time.monotonic(), set()
    plays = [compare(binary, name, command, unequal) for name, command in BACKENDS.items()] + [moved(binary)]
    found = [line for lines in await asyncio.gather(*map(collect, plays)) for line in lines]
    found += [f"{title}: nginx does as the application does, and is said not to" for title in NGINX_DIFFERS.keys() - unequal]
    print(*found, sep="\n")
    count = len(EXCHANGES) * len(BACKENDS)
    print(f"{count} exchanges, directly, through nginx and through closewatch: {len(found)} differences, {time.monotonic() - began:.0f} s")
    sys.exit(1 if found else 0)


asyncio.run(main())
