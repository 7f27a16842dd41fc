#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Milliseconds from opening the page of examples/browser to its first use, in headless Chromium, beside those of an empty page:
in turns, after one that starts the browser. `./dev browser` builds the page.

  page_ready.py [CHROMEDRIVER CHROMIUM [PAGE]]
"""
import pathlib
import shutil
import statistics
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root / "examples/browser"))
from webdriver import EMPTY_PAGE, Browser  # noqa: E402

TURNS = 21

chromedriver, chromium = sys.argv[1:3] or (shutil.which("chromedriver"), shutil.which("chromium"))
if not chromedriver or not chromium:
    sys.exit("no chromedriver or no chromium: on Debian, apt-get install chromium chromium-driver")
built = pathlib.Path(*sys.argv[3:4] or [root / "build/wasm/examples/browser/without_story/index.html"]).resolve()
if not built.exists():
    sys.exit(f"{built} is not there: ./dev browser builds it")
with tempfile.TemporaryDirectory() as folder, Browser(chromedriver, chromium, f"{folder}/profile") as browser:
    empty = pathlib.Path(folder, "empty.html")
    empty.write_text(EMPTY_PAGE, encoding="utf-8")
    pages = {"the page": built, "an empty page": empty}
    times = {name: [] for name in pages}
    browser.ready_after(built)
    for _ in range(TURNS):
        for name, page in pages.items():
            times[name].append(browser.ready_after(page))
for name, of in times.items():
    print(f"{name}: ready after {statistics.median(of):.0f} ms (median of {TURNS}; {min(of):.0f} to {max(of):.0f})")
