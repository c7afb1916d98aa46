"""Where a library reports something else than RFC 6455 gives it. closewatch records what the RFC gives; each is described under
its name in src/close/catalog/deviations.rs."""

from pathlib import Path

# The name there: the stack, its role, what differs, and in which endings.
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
    """The name of the deviation that this difference is, or None."""
    side, what, *_ = found
    for name, (stack, role, fields, endings) in DEVIATIONS.items():
        if (side, row[role]) == (role, stack) and what in fields and row["ending"] in endings:
            return name
    return None


def unused(rows):
    """Deviations that no row shows: a release has put them right."""
    occurred = {known for row in rows for *_, known in row["differences"]}
    return sorted(DEVIATIONS.keys() - occurred)
