"""Scenes with TLS: certificates that one side does not take, and clients of one version."""

import asyncio
import contextlib
import random
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

import peers
from peers import Ended
from people import ADDRESS, answered, backend, connect, crowd, talk
from scene import incident


def certificate(folder, name):
    """A certificate that vouches for itself, and its key."""
    cert, key = folder / (name + ".pem"), folder / (name + ".key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=ws.example", "-addext", "subjectAltName=DNS:ws.example,IP:127.0.0.1"]
    subprocess.run([*command, *subject, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


def with_tls(cert, key):
    """The lines of the configuration for TLS with clients."""
    return "[tls]", 'cert = "%s"' % cert, 'key = "%s"' % key


def trusting(cert=None, newest=ssl.TLSVersion.TLSv1_3):
    """A client's context that trusts one certificate, or whatever it is shown."""
    context = ssl.create_default_context(cafile=cert)
    context.maximum_version = newest
    if cert is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@incident("Some clients do not trust the certificate that closewatch shows", ("proxy",), ("certificate_rejected",))
async def front_certificate(proxy):
    server = await backend()
    with tempfile.TemporaryDirectory() as folder:
        ours, other = (certificate(Path(folder), name) for name in ("ours", "other"))
        p = await proxy(server.port, *with_tls(*ours))
        strict, easy = trusting(other[0]), trusting(ours[0])

        def shake_hands(source, port):
            with socket.create_connection(("127.0.0.1", port), source_address=(source, 0)) as raw:
                strict.wrap_socket(raw, server_hostname="ws.example")

        async def distrusts(port):
            with contextlib.suppress(OSError):
                await asyncio.to_thread(shake_hands, next(ADDRESS), port)

        async def says_nothing(port):
            # asyncio hangs up without the alert that says why.
            place = {"local_addr": (next(ADDRESS), 0), "server_hostname": "ws.example"}
            with contextlib.suppress(OSError):
                await asyncio.open_connection("127.0.0.1", port, ssl=strict, **place)

        strangers = (crowd(p.port, 20, play=play) for play in (distrusts, says_nothing))
        await asyncio.gather(*strangers, crowd(p.port, 90, tls=easy))


class Secured(peers.Backend):
    def __init__(self, port, cert, key):
        super().__init__(port)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(cert, key)
        # A session that is resumed shows no certificate.
        self.context.num_tickets = 0
        self.context.options |= ssl.OP_NO_TICKET

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024, ssl=self.context)


@incident("The backend's new certificate is of an authority that closewatch does not know", ("upstream",), ("certificate_rejected",))
async def back_certificate(proxy):
    with tempfile.TemporaryDirectory() as folder:
        known, new = (certificate(Path(folder), name) for name in ("known", "new"))
        server = await backend(Secured, *known)
        p = await proxy("https://127.0.0.1:%d" % server.port, "[upstream_tls]", 'ca = "%s"' % known[0])

        async def renew():
            await asyncio.sleep(4)
            server.context.load_cert_chain(*new)

        await asyncio.gather(crowd(p.port, 160, over=8), renew())


@incident(
    "Only clients of TLS 1.2 are reset",
    ("network_client_side", "client"),
    ("random_resets",),
    common={"client_tls_version": "1.2"},
)
async def old_tls(proxy):
    server = await backend()
    with tempfile.TemporaryDirectory() as folder:
        ours = certificate(Path(folder), "ours")
        p = await proxy(server.port, *with_tls(*ours))
        old, new = trusting(newest=ssl.TLSVersion.TLSv1_2), trusting()

        async def dies(port):
            with contextlib.suppress(OSError, Ended):
                s = await connect(port, tls=old)
                await talk(s, random.uniform(0.5, 4))
                s.send(peers.TEXT, b"last")
                await answered(s)
                s.reset()

        await asyncio.gather(crowd(p.port, 45, play=dies), crowd(p.port, 110, tls=new))
