"""The exchanges. Each gets a function that connects to the application, directly or through a proxy, and returns all answers."""

EXCHANGES = []

HELLO, PROOF = "Authorization: NTLM hello\r\n", "Authorization: NTLM proof\r\n"

# The headers of an ingress that ends TLS.
INGRESS = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Host: shop.test\r\n"

TARGETS = ['/target?filter={"room":1}', "/target?a=<b>", "/target?q=a|b^c\\d[0]`e`", "/target?x=%7B%22%2F"]


def exchange(name):
    def add(play):
        EXCHANGES.append((name, play))
        return play

    return add


@exchange("NTLM on plain requests, and a stranger behind it")
async def ntlm(connect):
    alice = await connect()
    yield [await alice.ask("GET", "/user", lines) for lines in ("", HELLO, PROOF, "")]
    stranger = await connect()
    yield await stranger.ask("GET", "/user")
    yield await alice.ask("GET", "/user")
    alice.close()
    yield await (await connect()).ask("GET", "/user")


@exchange("NTLM, then an upgrade on the same connection")
async def ntlm_then_upgrade(connect):
    alice = await connect()
    yield [await alice.ask("GET", "/user", lines) for lines in (HELLO, PROOF)]
    yield await alice.upgrade("/user")
    yield await (await connect()).upgrade("/user")


@exchange("NTLM on the upgrade itself")
async def ntlm_on_upgrade(connect):
    alice = await connect()
    for lines in ("", HELLO, PROOF):
        answer = await alice.upgrade("/user", lines)
        yield answer
        if answer == "gone" or answer[0] == 101:
            return


@exchange("An application that forces TLS, behind an ingress that ends it")
async def forced_tls(connect):
    client = await connect()
    yield await client.ask("GET", "/secure", INGRESS)
    yield await client.ask("GET", "/secure")


@exchange("Targets that nobody has percent-encoded, of requests")
async def targets(connect):
    for target in TARGETS:
        yield await (await connect()).ask("GET", target)


@exchange("The same on a connection that is kept")
async def more_targets(connect):
    client = await connect()
    yield [await client.ask("GET", target) for target in TARGETS]


@exchange("The same of upgrades")
async def upgrade_targets(connect):
    for target in TARGETS:
        yield await (await connect()).upgrade(target)


@exchange("Requests that are sent ahead of the answers")
async def sent_ahead(connect):
    client = await connect()
    client.send("".join(f"GET {target} HTTP/1.1\r\nHost: app.test\r\n\r\n" for target in ["/empty", *TARGETS, "/events"]))
    yield [await client.answer() for _ in range(len(TARGETS) + 2)]


@exchange("Answers before the answer")
async def early(connect):
    client = await connect()
    for method, body in (("GET", ""), ("POST", "x")):
        yield await client.ask(method, "/hints", body=body), await client.answer(), await client.answer()


@exchange("426, which says what to upgrade to")
async def must_upgrade(connect):
    yield await (await connect()).ask("GET", "/websocket-only")


@exchange("Expect: 100-continue, and the body is wanted")
async def wanted(connect):
    client = await connect()
    yield await client.ask("POST", "/upload", "Expect: 100-continue\r\nContent-Length: 5\r\n")
    client.send("hello")
    yield await client.answer()


@exchange("Expect: 100-continue, and the body is refused")
async def refused(connect):
    yield await (await connect()).ask("POST", "/refused-upload", "Expect: 100-continue\r\nContent-Length: 5\r\n")


@exchange("OPTIONS *")
async def for_the_server(connect):
    yield await (await connect()).ask("OPTIONS", "*")


@exchange("Uploads, events, and answers without a body")
async def bodies(connect):
    client = await connect()
    yield await client.ask("POST", "/upload", body="x" * 100_000)
    yield await client.ask("POST", "/upload", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n")
    yield await client.ask("GET", "/events")
    yield await client.ask("GET", "/empty")
    yield await client.ask("GET", "/nowhere")


@exchange("A kept upstream connection that ends without an answer")
async def ended(connect):
    for method in ("GET", "HEAD", "OPTIONS", "POST"):
        client = await connect()
        first = await client.ask("GET", "/once")
        second = await client.ask(method, "/once")
        # The page of a 502 is each proxy's own.
        yield first, method, second if second == "gone" or second[0] != 502 else 502
