"""Runs `taskcat test run --local` on a terminal of 100 × 24 and draws it as SVG, at a moment when
a test has failed and others are in progress: terminal_picture.py TASKCAT PROJECT FILE."""

import copy
import fcntl
import html
import os
import pty
import struct
import sys
import termios

import pyte

COLUMNS, ROWS = 100, 24
WIDTH, HEIGHT, MARGIN = 8.43, 18, 16
COMMAND = ["test", "run", "--local", "--scenario", "broken.yml", "--speed", "20"]
COLORS = {
    "default": "#d4d7dd",
    "black": "#6b7280",
    "red": "#ff7b72",
    "green": "#7ee787",
    "brown": "#e3b341",
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#76e3ea",
    "white": "#ffffff",
}


def frames(taskcat, project):
    """Yields the screen after each change."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(project)
        os.environ["TERM"] = "xterm-256color"
        for name in ("NO_COLOR", "CI", "GITHUB_ACTIONS"):
            os.environ.pop(name, None)
        os.execv(taskcat, ["taskcat", *COMMAND])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # the terminal's end
            break
        if not read:
            break
        stream.feed(read)
        yield screen
    os.waitpid(child, 0)


def chosen(taskcat, project):
    """The last screen that shows stacks in progress, beside a failed test if there is one."""
    best, rank = None, -1
    for screen in frames(taskcat, project):
        text = "\n".join(screen.display)
        found = 2 * ("CREATE_IN_PROGRESS" in text) + ("failed" in text)
        if found >= rank:
            best, rank = copy.deepcopy(screen.buffer), found
    return best


def runs(row):
    """The parts of a row that look alike, each with its column."""
    parts = []
    for column in range(COLUMNS):
        cell = row[column]
        style = (COLORS.get(cell.fg, f"#{cell.fg}"), cell.bold)
        if parts and parts[-1][1] == style:
            parts[-1][2].append(cell.data)
        else:
            parts.append((column, style, [cell.data]))
    return [(column, style, "".join(text)) for column, style, text in parts]


def drawn(buffer):
    used = [number for number in range(ROWS) if any(text.strip() for *_, text in runs(buffer[number]))]
    width, height = round(COLUMNS * WIDTH + 2 * MARGIN), (used[-1] + 1) * HEIGHT + 2 * MARGIN + 24
    label = "taskcat test run in a terminal: a row for each test and region"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-label="{label}">',
        f'<rect width="{width}" height="{height}" rx="8" fill="#16181d"/>',
        *(
            f'<circle cx="{20 + 18 * at}" cy="20" r="6" fill="{color}"/>'
            for at, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        ),
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace"'
        ' font-size="14">',
    ]
    for number in used:
        y = MARGIN + 24 + (number + 0.75) * HEIGHT
        for column, (color, bold), text in runs(buffer[number]):
            if not text.strip():
                continue
            column += len(text) - len(text.lstrip())
            # Spaces are kept by nothing else in every browser.
            text = text.strip().replace(" ", "\N{NO-BREAK SPACE}")
            x, length = MARGIN + column * WIDTH, len(text) * WIDTH
            weight = ' font-weight="bold"' if bold else ""
            lines.append(
                f'<text x="{x:.1f}" y="{y:.1f}" textLength="{length:.1f}" fill="{color}"{weight}>'
                f"{html.escape(text)}</text>"
            )
    return "\n".join([*lines, "</g>", "</svg>", ""])


taskcat, project, file = sys.argv[1:]
with open(file, "w", encoding="utf-8") as svg:
    svg.write(drawn(chosen(taskcat, project)))
