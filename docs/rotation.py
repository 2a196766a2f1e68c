#!/usr/bin/env python3
"""Draws one rotation over time, for both strategies: docs/rotation.py > docs/rotation.svg"""

from html import escape

WIDTH, LEFT = 880, 168
STEPS = [
    ("createSecret", "stores a new value"),
    ("setSecret", "changes the password"),
    ("testSecret", "logs in with it"),
    ("finishSecret", "moves AWSCURRENT"),
]
START, STEP = 226, 136  # where the first step begins, how wide each is
END = 856
CHANGED = START + 1.62 * STEP  # the database takes the new password
MOVED = START + 3.66 * STEP  # AWSCURRENT moves
CREATED = START + 0.62 * STEP  # the pending version has a value
BAR, ROW = 24, 34

# Each colour on a light page and on a dark one.
COLOURS = {
    "card": ("#ffffff", "#0d1117"),
    "edge": ("#d0d7de", "#30363d"),
    "ink": ("#1f2328", "#e6edf3"),
    "soft": ("#59636e", "#9198a1"),
    "grid": ("#d0d7de", "#2f363f"),
    "lane": ("#f2f4f7", "#171d26"),
    "old": ("#2f6fd0", "#5b9bf3"),
    "new": ("#b35900", "#e8993c"),
    "gone": ("#6e7781", "#8b949e"),
    "on": ("#ffffff", "#0d1117"),
    "bad": ("#cf222e", "#ff7b72"),
    "good": ("#1a7f37", "#3fb950"),
}
TEXT = """
text { font-family: -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; font-size: 13px; }
.mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px; }
.title { font-size: 16px; font-weight: 600; }
.small { font-size: 12px; text-anchor: middle; }
.step, .bad, .good { font-weight: 600; text-anchor: middle; }
.label { text-anchor: end; }
.on { font-weight: 600; font-size: 12px; text-anchor: middle; }
.dashes { fill: none; stroke-dasharray: 4 3; }
.dots { stroke-dasharray: 2 4; }
.veil { fill-opacity: 0.12; }
"""


class Drawing:
    """SVG elements from top to bottom; colours and kinds of text are classes."""

    def __init__(self):
        self.elements, self.y = [], 0

    def text(self, x, y, words, kinds="ink"):
        self.elements.append(f'<text x="{x:g}" y="{y:g}" class="{kinds}">{escape(words)}</text>')

    def title(self, name, told):
        self.elements.append(
            f'<text x="24" y="{self.y:g}"><tspan class="ink title">{name}</tspan><tspan dx="10" class="soft">{escape(told)}</tspan></text>'
        )
        self.y += 18

    def box(self, x, y, width, height, kinds):
        self.elements.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" class="{kinds}"/>')

    def line(self, x, top, bottom):
        self.elements.append(f'<line x1="{x:g}" y1="{top:g}" x2="{x:g}" y2="{bottom:g}" class="grid-line dots"/>')

    def row(self, name, *bars, mono=False):
        """A name, and what holds from when to when: (start, end, colour, words)."""
        self.text(LEFT - 12, self.y + BAR / 2 + 4.5, name, "ink label mono" if mono else "ink label")
        self.box(LEFT, self.y, END - LEFT, BAR, "lane")
        for start, end, colour, words in bars:
            self.box(start + 1, self.y, end - start - 2, BAR, colour)
            self.text((start + end) / 2, self.y + BAR / 2 + 4.5, words, "on")
        self.y += ROW


def main():
    drawing = Drawing()
    for number in range(len(STEPS) + 1):
        drawing.line(START + number * STEP, 20, 456)
    for number, (name, does) in enumerate(STEPS):
        drawing.text(START + (number + 0.5) * STEP, 34, name, "ink step mono")
        drawing.text(START + (number + 0.5) * STEP, 52, does, "soft small")
    single_user(drawing)
    alternating_users(drawing)
    drawing.text(END, drawing.y, "time, not to scale →", "soft label")
    print(page(drawing, drawing.y + 18))


def single_user(drawing):
    drawing.y = 96
    drawing.title("Single user", "The role changes its own password.")
    outage, height = MOVED - CHANGED, 3 * ROW + 20
    drawing.box(CHANGED, drawing.y - 6, outage, height, "bad veil")
    drawing.box(CHANGED, drawing.y - 6, outage, height, "bad-line dashes")
    drawing.row("AWSCURRENT", (LEFT, MOVED, "old", "old password"), (MOVED, END, "new", "new password"), mono=True)
    drawing.row("AWSPENDING", (START, CREATED, "gone", "no value"), (CREATED, MOVED, "new", "new password"), mono=True)
    drawing.row("the database takes", (LEFT, CHANGED, "old", "old password"), (CHANGED, END, "new", "new password"))
    drawing.text(CHANGED + outage / 2, drawing.y + 6, "logins with AWSCURRENT are refused", "bad")
    drawing.y += 60


def alternating_users(drawing):
    drawing.title("Alternating users", "A superuser changes the password of the role whose turn it is.")
    drawing.row("AWSCURRENT", (LEFT, MOVED, "old", "app"), (MOVED, END, "new", "app_clone"), mono=True)
    drawing.row("AWSPENDING", (START, CREATED, "gone", "no value"), (CREATED, MOVED, "new", "app_clone"), mono=True)
    drawing.row("app logs in with", (LEFT, END, "old", "its password, which this rotation leaves alone"))
    drawing.row("app_clone logs in with", (LEFT, CHANGED, "gone", "its earlier password"), (CHANGED, END, "new", "its new password"))
    drawing.text((LEFT + END) / 2, drawing.y + 10, "AWSCURRENT logs in at every moment, and app goes on working until the next rotation", "good")
    drawing.y += 36


def page(drawing, height):
    """The whole picture, on a card of its own: legible on a light page and on a dark one."""
    what = "One rotation over time, for a single user and for alternating users: the labels, and which password the database takes."
    body = "\n".join(drawing.elements)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" role="img" '
        f'aria-label="{what}">\n<style>\n{colours(0)}@media (prefers-color-scheme: dark) {{\n{colours(1)}}}{TEXT}</style>\n'
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:g}" rx="10" class="card edge-line"/>\n{body}\n</svg>'
    )


def colours(page):
    """Of each colour a class that fills, and one that draws a line."""
    return "".join(f".{name} {{ fill: {of[page]}; }} .{name}-line {{ stroke: {of[page]}; }}\n" for name, of in COLOURS.items())


main()
