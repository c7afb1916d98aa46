"""The stacks of the matrix, the endings that they play, and the endings that a library cannot play or does not notice."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stack:
    """A peer as tests/peers/README.md describes it.

    `cannot`: endings that its library has no call for. `misses`: endings of the other peer that it does not always notice, with or
    without closewatch. `leaves`: it closes its transport right after its own Close. The other peer's answer then may meet a reset; that
    is a race, with or without closewatch, so the fate of the transport is not compared."""

    name: str
    command: list[str]
    cannot: frozenset = field(default_factory=frozenset)
    misses: frozenset = field(default_factory=frozenset)
    leaves: bool = False


@dataclass(frozen=True)
class Ending:
    """`path` is what the client requests from the server, `action` is the client's own. All other fields must be in the record."""

    name: str
    path: str
    action: list[str]
    code: int
    reason: str
    initiator: str
    causes: tuple

    def hurried(self, client, server):
        """The Close comes from a stack that closes its transport right after it."""
        return self.code != 1006 and (client if self.initiator == "client" else server).leaves

    def possible(self, client, server):
        word = self.path.split("/")[1]
        return self.action[0] not in client.cannot and word not in client.misses and word not in server.cannot


NODE = "node"
PYTHON = ".work/python/bin/python"
PEERS = "tests/peers/"

# A script in a page can neither drop nor reset its connection. The same holds for a library with the same API.
BROWSER_LIKE = frozenset({"terminate", "reset"})

CLIENTS = [
    Stack("chromium", [NODE, PEERS + "browser.mjs"], BROWSER_LIKE),
    Stack("ws", [NODE, PEERS + "client.mjs"]),
    Stack("undici", [NODE, PEERS + "undici.mjs"], BROWSER_LIKE),
    Stack("websockets", [PYTHON, PEERS + "client.py"]),
    Stack("aiohttp", [PYTHON, PEERS + "aiohttp_client.py"], frozenset({"close-empty"})),
    Stack("gorilla", [".work/gorilla/peer", "client"]),
    Stack(
        "java",
        ["java", "-XX:TieredStopAtLevel=1", "-cp", ".work/java", "JavaClient"],
        frozenset({"close-empty", "reset"}),
        # In about one of a hundred sessions it leaves an end of stream unread (CLOSE-WAIT), and reports nothing.
        frozenset({"terminate", "exit"}),
    ),
    Stack("mojolicious", ["/usr/bin/perl", PEERS + "mojolicious.pl"], frozenset({"reset"}), leaves=True),
]

SERVERS = [
    Stack("beast", [".work/beast/server"]),
    Stack("ws", [NODE, PEERS + "server.mjs"]),
    Stack("websockets", [PYTHON, PEERS + "server.py"]),
    Stack("gorilla", [".work/gorilla/peer", "server"]),
    Stack(
        "cowboy",
        ["erl", "-noinput", "-pa", ".work/cowboy-server"]
        + [word for folder in ("cowboy", "cowlib", "ranch")
           for word in ("-pa", f".work/cowboy/usr/lib/rabbitmq/lib/*/plugins/{folder}-*/ebin")]
        + ["-s", "interop_cowboy", "main"],
        frozenset({"reset", "terminate"}),
        leaves=True,
    ),
    Stack("bun", [".work/node/node_modules/@oven/bun-linux-*/bin/bun", PEERS + "bun.mjs"],
          frozenset({"close-empty", "reset"}), leaves=True),
    Stack("hypercorn", [PYTHON, PEERS + "hypercorn_server.py"], frozenset({"close-empty", "terminate", "reset"})),
    Stack("em-websocket", ["/usr/bin/ruby", PEERS + "em_websocket.rb"], frozenset({"close-empty", "reset"})),
]

ENDINGS = [
    Ending("client closes 1000", "/echo", ["close", "1000", "bye"], 1000, "bye", "client", ("close_handshake",)),
    Ending("client closes 4001", "/echo", ["close", "4001", "token expired"], 4001, "token expired", "client", ("close_handshake",)),
    Ending("client closes without a code", "/echo", ["close-empty"], 1005, "", "client", ("close_handshake",)),
    Ending("client drops", "/echo", ["terminate"], 1006, "", "client", ("client_eof", "client_reset")),
    Ending("client resets", "/echo", ["reset"], 1006, "", "client", ("client_reset",)),
    Ending("server closes 1000", "/close/1000/bye", ["wait"], 1000, "bye", "upstream", ("close_handshake",)),
    Ending("server closes 1011", "/close/1011/boom", ["wait"], 1011, "boom", "upstream", ("close_handshake",)),
    Ending("server closes 4002", "/close/4002/kicked", ["wait"], 4002, "kicked", "upstream", ("close_handshake",)),
    Ending("server closes without a code", "/close-empty", ["wait"], 1005, "", "upstream", ("close_handshake",)),
    Ending("server drops", "/terminate", ["wait"], 1006, "", "upstream", ("upstream_eof", "upstream_reset")),
    Ending("server resets", "/reset", ["wait"], 1006, "", "upstream", ("upstream_reset",)),
    # These two are last, because the peer that is killed cannot play another session.
    Ending("client is killed", "/echo", ["kill"], 1006, "", "client", ("client_eof", "client_reset")),
    Ending("server is killed", "/exit", ["wait"], 1006, "", "upstream", ("upstream_eof", "upstream_reset")),
]
