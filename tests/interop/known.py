"""Known deviations: a library reports a code or reason that is not the one of RFC 6455. closewatch records the one of the RFC.
src/close/catalog/deviations.rs describes each deviation under the same name."""

from pathlib import Path

# Name in the catalog: (stack, role, fields that differ, endings in which they differ).
DEVIATIONS = {
    "aiohttp-empty-close-as-1006": ("aiohttp", "client", {"code"}, {"server closes without a code"}),
    "bun-own-close-as-received": ("bun", "server", {"code", "reason"}, {"server closes 1000", "server closes 1011", "server closes 4002"}),
    "hypercorn-close-as-1006": (
        "hypercorn", "server", {"code"}, {"client closes 1000", "client closes 4001", "client closes without a code"},
    ),
    "hypercorn-own-close-as-1000": ("hypercorn", "server", {"code"}, {"server closes 1011", "server closes 4002"}),
    "mojolicious-own-close-as-received": (
        "mojolicious", "client", {"code", "reason"}, {"client closes 1000", "client closes 4001", "client closes without a code"},
    ),
}

catalog = Path("src/close/catalog/deviations.rs").read_text()
missing = [name for name in DEVIATIONS if f'id: "{name}"' not in catalog]
assert not missing, f"not in the catalog: {missing}"


def explained(row, found):
    """The name of the deviation that explains this difference, or None."""
    side, what, *_ = found
    for name, (stack, role, fields, endings) in DEVIATIONS.items():
        if (side, row[role]) == (role, stack) and what in fields and row["ending"] in endings:
            return name
    return None


def unused(rows):
    """Deviations that no row shows: the library has been fixed, and the entry must go."""
    occurred = {known for row in rows for *_, known in row["differences"]}
    return sorted(DEVIATIONS.keys() - occurred)
