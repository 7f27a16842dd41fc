#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts the page together: one HTML file with everything inside.

  build_page.py MODULE OUT [--story IMAGE TOKENIZER] TEXT...

The files of page/ replace their names in {{double braces}}; {{module}} is the module, packed by gzip and as base64, and
{{text}} is what the page trains on unless somebody has a better text.
"""
import argparse
import base64
import gzip
import pathlib
import re
import sys

PAGE = pathlib.Path(__file__).with_name("page")


def packed(path):
    return base64.b64encode(gzip.compress(pathlib.Path(path).read_bytes(), 9, mtime=0)).decode()


def inside(name, content):
    """Text between two tags of a script must not end it."""
    if re.search(r"</script|<!--", content, re.IGNORECASE):
        sys.exit(f"{name} cannot be part of a page: it holds </script or <!--")
    return content


def smaller_script(source):
    """Comments that have a line of their own, and indentation, are for readers of page/."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def smaller_style(source):
    return "\n".join(line.strip() for line in source.splitlines() if line.strip())


def main():
    p = argparse.ArgumentParser()
    p.add_argument("module")
    p.add_argument("out")
    p.add_argument("--story", nargs=2, metavar=("IMAGE", "TOKENIZER"))
    p.add_argument("text", nargs="+")
    o = p.parse_args()
    made = {"module": packed(o.module), "story": "\n".join(map(packed, o.story or [])),
            "text": "\n\n".join(pathlib.Path(t).read_text(encoding="utf-8").strip() for t in o.text)}

    def content(match):
        name = match[1]
        if name in made:
            return inside(name, made[name])
        source = (PAGE / name).read_text(encoding="utf-8")
        return inside(name, smaller_script(source) if name.endswith(".js") else smaller_style(source))

    html = re.sub(r"\{\{([\w.]+)\}\}", content, (PAGE / "page.html").read_text(encoding="utf-8"))
    out = pathlib.Path(o.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(html, encoding="utf-8")
    print(f"{out.name}: {len(html.encode())} bytes, {len(gzip.compress(html.encode(), 9))} compressed")


main()
