"""`play.py BINARY [SCENE…]`: plays the scenes, each on its own hosts, and prints the results. Exits with 1 if one fails."""

import asyncio
import os
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import scenes
from world import World

# Scenes at the same time. The cables are userspace, and two cores have to do all the work.
AT_ONCE = 4
LIMIT = 120


async def play(number, scene, binary, folder, places):
    async with places:
        began = time.monotonic()
        try:
            async with World(binary, folder / scene.__name__, number) as world:
                await asyncio.wait_for(scene(world), LIMIT)
        except (Exception, asyncio.CancelledError):
            print("FAILED %s\n%s" % (scene.__name__, traceback.format_exc()), flush=True)
            return False
        print("ok     %-42s %5.1f s" % (scene.__name__, time.monotonic() - began), flush=True)
        return True


async def main(binary, names):
    chosen = [scene for scene in scenes.SCENES if not names or scene.__name__ in names]
    if not chosen:
        sys.exit("no such scene; there are: " + " ".join(scene.__name__ for scene in scenes.SCENES))
    folder = Path(tempfile.mkdtemp(prefix="closewatch-faults-"))
    places = asyncio.Semaphore(AT_ONCE)
    results = await asyncio.gather(*(play(number, scene, binary, folder, places) for number, scene in enumerate(chosen)))
    print("%d passed, %d failed" % (results.count(True), results.count(False)))
    if not all(results):
        sys.exit("what closewatch said is in %s" % folder)
    shutil.rmtree(folder)


if os.geteuid() != 0:
    sys.exit("tests/faults: network namespaces need root")
asyncio.run(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
