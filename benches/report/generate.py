#!/usr/bin/env python3
"""Writes lines of a close log, the same in every run: `generate.py RECORDS >close.jsonl`.

Every field of the record is there, as closewatch writes it, with values of a fleet: a week of 20 instances, four routes, clients of 40,000
addresses with 200 programs. Three of a hundred are handshakes that failed. On the route `feed` a box in front cuts after 55 s of silence.
"""

import random
import sys
from datetime import datetime, timedelta, timezone

BEGIN = datetime(2026, 11, 13, tzinfo=timezone.utc)
SPAN_S = 7 * 86_400
ROUTES = ["chat", "feed", "graphql", "presence"]
INSTANCES = [f"closewatch-{number:02}" for number in range(20)]
UPSTREAMS = [f"10.20.{number // 4}.{10 + number % 4}:9000" for number in range(24)]
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# class, code, name, initiator, cause, handshake, reason, ends of both peers, weight
ENDINGS = [
    ("clean", 1000, "Normal Closure", "client", "close_handshake", "complete", "done", "fin", "fin", 50),
    ("clean", 1005, "No Status Received", "client", "close_handshake", "complete", "", "fin", "fin", 16),
    ("clean", 1001, "Going Away", "client", "close_handshake", "complete", "", "fin", "fin", 14),
    ("planned", 1012, "Service Restart", "upstream", "close_handshake", "complete", "service restart", "fin", "fin", 4),
    ("policy", 4401, "Unauthorized", "upstream", "close_handshake", "complete", "token missing", "fin", "fin", 2),
    ("application", 4000, "Private Use", "upstream", "close_handshake", "complete", "room closed", "fin", "fin", 3),
    ("abnormal", 1006, "Abnormal Closure", "client", "client_eof", "none", "", "fin", "local", 7),
    ("abnormal", 1006, "Abnormal Closure", "client", "client_reset", "none", "", "reset", "local", 2),
    ("abnormal", 1006, "Abnormal Closure", "upstream", "upstream_reset", "none", "", "local", "reset", 1),
    ("abnormal", 1011, "Internal Error", "upstream", "close_handshake", "complete", "unhandled \\\"error\\\"", "fin", "fin", 1),
]
AGENTS = [
    f"Mozilla/5.0 (X11; Linux x86_64; build {number}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
    for number in range(200)
]

SESSION = (
    '{"schema":1,"event":"websocket.closed","level":"%s","time":"%s","instance":"%s","session":"%s","route":"%s","class":"%s","code":%d,'
    '"code_name":"%s","initiator":"%s","cause":"%s","handshake":"%s","reason":"%s","opened_at":"%s","ended_at":"%s","duration_ms":%.3f,'
    '"filed_ms":%.3f,"idle_ms":%.3f,"close_handshake_ms":%s,"handshake_ms":%.3f,"client":{"address":"%s:%d","real_address":null,%s},'
    '"upstream":{"address":"%s","name":"http://10.20.0.10:9000",%s},"request":{"method":"GET","path":"/%s/%d","host":"chat.example",'
    '"http_version":"1.1","user_agent":"%s","origin":"https://chat.example","subprotocol":null,"extensions":"permessage-deflate",'
    '"request_id":null,"forwarded_for":null,"subprotocols_offered":0},"hint":null,"trace_id":null,"span_id":null,'
    '"handshake_trace_id":null}\n'
)
PEER = (
    '"close":%s,"end":"%s","end_at_ms":%.3f,"saw":{"code":%d,"clean":%s,"certain":true},"text_messages":%d,"binary_messages":0,"frames":%d,'
    '"bytes":%d,"pings":%d,"pongs":%d,"silence_before_last_ms":%.1f,"longest_silence_ms":%.1f,"last_frame_at_ms":%.3f,'
    '"last_message_at_ms":%.3f,"last_pong_at_ms":%.3f,"ping_rtt_ms":%.3f,"ping_rtt_max_ms":%.3f,"unanswered_pings":0,'
    '"unsolicited_pongs":0,"violations":{},"frames_after_close":0,"since_answered_ping_ms":%.3f,"blind":false,"stalled_ms":0.0,'
    '"stalled_at_end_ms":0.0,"undelivered_bytes":0,"tcp":%s,"reset_after_fin":false,"tls_alert":null,"tls_version":%s'
)
FAILED = (
    '{"schema":1,"event":"websocket.handshake_failed","level":"warn","time":"%s","instance":"%s","outcome":"%s","status":%d,"route":"%s",'
    '"request":{"method":"GET","path":"/%s/%d","host":"chat.example","http_version":"1.1","user_agent":"%s","origin":null,'
    '"subprotocol":null,"extensions":null,"request_id":null,"forwarded_for":null,"subprotocols_offered":0},"client":{"address":"%s:%d",'
    '"real_address":null,"tls_version":%s},"duration_ms":%.3f,"tls_error":null,"detail":null}\n'
)


def spelt(seconds):
    return (BEGIN + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def records(count):
    chance = random.Random(15)
    weights = [ending[-1] for ending in ENDINGS]
    whole = [ending for ending, weight in zip(ENDINGS, weights) for _ in range(weight)]
    for number in range(count):
        at = SPAN_S * number / count
        route, instance, agent = chance.choice(ROUTES), chance.choice(INSTANCES), chance.choice(AGENTS)
        host = chance.randrange(40_000)
        tls = ['"1.3"', '"1.3"', '"1.2"', "null"][host % 4]
        address, port = f"198.{18 + host // 65_536}.{host // 256 % 256}.{host % 256}", chance.randrange(1024, 65_536)
        if chance.random() < 0.03:
            outcome, status = chance.choice([("refused", 403), ("refused", 503), ("dial_failed", 502), ("bad_request", 400)])
            took = chance.random() * 40
            yield FAILED % (spelt(at), instance, outcome, status, route, route, host % 500, agent, address, port, tls, took)
            continue
        kind, code, name, initiator, cause, handshake, reason, client_end, upstream_end, _ = chance.choice(whole)
        lived = min(chance.expovariate(1 / 400), 80_000.0) + 0.2
        idle = min(lived, chance.expovariate(1 / 12))
        if route == "feed" and cause == "client_reset":
            idle, lived = 55.0 + chance.random() * 0.05, lived + 55.1
        lived, idle = lived * 1000, idle * 1000
        last = lived - idle
        closed = '{"code":%d,"reason":"%s","at_ms":%.3f}' % (code, reason, lived) if handshake == "complete" else "null"
        tcp = '{"rtt_ms":%.3f,"retransmits":%d}' % (chance.random() * 40, chance.randrange(3)) if kind == "abnormal" else "null"

        def peer(end, tls):
            messages = chance.randrange(1, 900)
            return PEER % (
                closed, end, lived + 0.2, code, "true" if handshake == "complete" else "false", messages, messages + 9, messages * 97,
                4, 4, idle / 2, idle * 1.2, last, last - 10, last, 20.0, 31.2, idle + 3, tcp, tls,
            )  # fmt: skip

        session = "01" + "".join(chance.choices(ALPHABET, k=24))
        yield SESSION % (
            "warn" if kind == "abnormal" else "info", spelt(at + 0.0004), instance, session, route, kind, code, name, initiator, cause,
            handshake, reason, spelt(at - lived / 1000), spelt(at), lived, lived + 0.4, idle,
            "0.412" if handshake == "complete" else "null", 2 + chance.random(), address, port, peer(client_end, tls),
            chance.choice(UPSTREAMS), peer(upstream_end, "null"), route, host % 500, agent,
        )  # fmt: skip


def main():
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit("usage: generate.py RECORDS")
    lines = []
    for line in records(int(sys.argv[1])):
        lines.append(line)
        if len(lines) == 10_000:
            sys.stdout.write("".join(lines))
            lines.clear()
    sys.stdout.write("".join(lines))


if __name__ == "__main__":
    main()
