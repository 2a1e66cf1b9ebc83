"""Checks that every link and anchor inside of a built book resolves: book_links.py FOLDER."""

import functools
import html
import pathlib
import re
import sys
from urllib.parse import unquote

LINK = re.compile(r'(?:href|src)="([^"]+)"')


@functools.cache
def anchors(page):
    return set(re.findall(r'\bid="([^"]+)"', page.read_text()))


def fault(page, link):
    path, _, anchor = link.partition("#")
    target = (page.parent / unquote(path)).resolve() if path else page
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return "no such file"
    if anchor and target.suffix == ".html" and unquote(anchor) not in anchors(target):
        return "no such anchor"
    return None


checked, faults = 0, []
for page in sorted(pathlib.Path(sys.argv[1]).resolve().rglob("*.html")):
    # Its links are relative to the server's root.
    if page.name == "404.html":
        continue
    for link in map(html.unescape, LINK.findall(page.read_text())):
        if "://" in link or link.startswith(("mailto:", "data:", "javascript:")):
            continue
        checked += 1
        reason = fault(page, link)
        if reason:
            faults.append(f"{page}: {link}: {reason}")
print(f"{checked} links inside of the book, {len(faults)} broken")
print(*faults, sep="\n")
sys.exit(bool(faults) or checked < 500)
