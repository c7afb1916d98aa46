"""Longer times for a real log: hours of a day in seconds of a test.

Every instant moves away from the beginning of the log by a factor, and every duration that the play decides grows by it. Durations that the
network decides (round trips, closing handshakes, the upgrade itself) stay as they were measured.
"""

import datetime

NETWORK = {"ping_rtt_ms", "ping_rtt_max_ms", "rtt_ms", "close_handshake_ms", "handshake_ms"}
INSTANTS = {"time", "opened_at", "ended_at"}


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def stretched(records, factor):
    """The same records, `factor` times as slow."""
    start = min(instant(record.get("opened_at") or record["time"]) for record in records)

    def walk(value, key=None):
        if isinstance(value, dict):
            return {name: walk(inner, name) for name, inner in value.items()}
        if key in INSTANTS and value is not None:
            moved = start + (instant(value) - start) * factor
            return moved.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if key and key.endswith("_ms") and key not in NETWORK and isinstance(value, (int, float)):
            return round(value * factor, 3)
        return value

    out = []
    for record in records:
        moved = walk(record)
        if record["event"] == "websocket.handshake_failed":
            # Its duration is the network's, or a time limit of closewatch.
            moved["duration_ms"] = record["duration_ms"]
        out.append(moved)
    return out
