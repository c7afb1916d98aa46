"""A client that says exactly what it is told to, and notes all that it is answered."""

import asyncio

# Seconds to wait for an answer.
PATIENCE = 20

# Headers that name an instant or a connection, and are not the application's.
OF_THE_HOP = {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length"}

UPGRADE = (
    "GET {target} HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
)


class Client:
    """One connection to `port`."""

    @classmethod
    async def connect(cls, port, host="127.0.0.1"):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection(host, port)
        return self

    def send(self, text):
        self.writer.write(text.encode())

    async def ask(self, method, target, lines="", body=""):
        """Sends a request, and returns the answer."""
        if body:
            lines += f"Content-Length: {len(body)}\r\n"
        self.send(f"{method} {target} HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n{body}")
        return await self.answer(method)

    async def upgrade(self, target, lines=""):
        """Asks for a WebSocket. Behind a 101 the body of the answer is the reason of the server's Close."""
        self.send(UPGRADE.format(target=target, lines=lines))
        return await self.answer("GET")

    async def answer(self, method="GET"):
        """The next answer, as (status, headers, body). `gone` if the connection ends first."""
        try:
            async with asyncio.timeout(PATIENCE):
                head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                status, headers = parsed(head)
                body = await self.body(method, status, dict(headers))
        except (asyncio.IncompleteReadError, ConnectionError):
            return "gone"
        shown = [(name, value) for name, value in headers if name not in OF_THE_HOP]
        upgrade = any(name == "connection" and "upgrade" in value.lower() for name, value in headers)
        return status, sorted(shown) + ([("connection", "upgrade")] if upgrade else []), body

    async def body(self, method, status, headers):
        if status == 101:
            opcode, length = await self.reader.readexactly(2)
            assert opcode == 0x88, hex(opcode)
            return (await self.reader.readexactly(length))[2:].decode()
        if method == "HEAD" or status < 200 or status in (204, 304):
            return ""
        if headers.get("transfer-encoding") == "chunked":
            whole = b""
            while size := int(await self.reader.readline(), 16):
                whole += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
            return whole.decode()
        if "content-length" in headers:
            return (await self.reader.readexactly(int(headers["content-length"]))).decode()
        return (await self.reader.read()).decode()

    def close(self):
        self.writer.close()


def parsed(head):
    first, *lines = head.strip().split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return int(first.split(" ")[1]), headers
