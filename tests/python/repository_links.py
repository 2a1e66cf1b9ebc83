"""A preprocessor of mdBook: links that leave the book lead to the repository on the web.

mdBook calls it as `book.toml` says. REPOSITORY_URL is the address of the tree, such as
https://example.com/owner/name/blob/main; without it, such links become plain text.
"""

import json
import os
import posixpath
import re
import sys

LINK = re.compile(r"\[([^\]]*)\]\(([^()\s]+)\)")


def rewritten(content, path):
    base = os.environ.get("REPOSITORY_URL", "").rstrip("/")

    def link(match):
        text, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match[0]
        outside = posixpath.normpath(posixpath.join("docs", posixpath.dirname(path), target))
        if outside.startswith("docs/"):
            return match[0]
        return f"[{text}]({base}/{outside})" if base else text

    return LINK.sub(link, content)


def visit(items):
    for item in items:
        if isinstance(item, dict) and "Chapter" in item:
            chapter = item["Chapter"]
            if chapter["path"]:
                chapter["content"] = rewritten(chapter["content"], chapter["path"])
            visit(chapter["sub_items"])


if len(sys.argv) > 1 and sys.argv[1] == "supports":
    sys.exit(0)
_, book = json.load(sys.stdin)
visit(book.get("items", book.get("sections", [])))
json.dump(book, sys.stdout)
