#!/usr/bin/env python3
"""run.py GROUP BIN_DIRECTORY: holds one table of hostile input against running programs (tests/hostile/rows_*.py).

Each row also has stock clients beside it which notice nothing, and afterwards the edge's descriptors and memory are back.
"""

import asyncio
import importlib
import sys

from stage import Stage


async def main(group, binaries):
    table = importlib.import_module(f"rows_{group}")
    async with Stage(binaries, *getattr(table, "EDGE_FLAGS", ())) as stage:
        await stage.hold(table.ROWS)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
