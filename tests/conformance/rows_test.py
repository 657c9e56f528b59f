#!/usr/bin/env python3
"""Every test that ROWS.md names exists."""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
TESTS = HERE.parent / "edge"

rows = (HERE / "ROWS.md").read_text()
named = set(re.findall(r"\b(\w+Test\.\w+)\b", rows))
there = set()
for source in TESTS.rglob("*_test.cc"):
    there |= {f"{suite}.{name}" for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", source.read_text(), re.M)}
missing = sorted(named - there)
if missing or len(named) < 100:
    sys.exit(f"ROWS.md names {len(named)} tests; these do not exist: {missing}")
print(f"all {len(named)} tests that ROWS.md names exist")
