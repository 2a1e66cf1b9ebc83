"""Opens a run's index.html in Chromium and holds it against the report.json beside it, as a reader would.

    target/venvs/browser/bin/python tests/python/page.py FOLDER PICTURES [many]

FOLDER holds index.html and report.json. Pictures of the page (light, dark, narrow, printed) are left in PICTURES. With
`many` the page is one of hundreds of stacks: it is timed, and what opens each of them is left to smaller ones. Ends with 1 and says why
at the first thing that is not as it should be. The rules of accessibility are axe-core's, from its Python package.
"""

import json
import os
import re
import sys
import time
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
URGENCY = ["failed", "interrupted", "unfinished", "passed"]
WORDS = {"waiting": "unfinished", "running": "unfinished"}

folder, pictures = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
many = "many" in sys.argv[3:]
address = (folder / "index.html").as_uri()
report = json.loads((folder / "report.json").read_text())
source = (folder / "index.html").read_text()
pictures.mkdir(parents=True, exist_ok=True)


def check(holds, what):
    if not holds:
        sys.exit(f"page.py: {what}")


def equal(found, expected, what):
    check(found == expected, f"{what}:\n  found    {found!r}\n  expected {expected!r}")


def plain(text):
    """Without what the page leaves out of foreign texts, and with one space between words."""
    text = re.sub(r"\x1b\][^\x07]*\x07|\x1b\[[0-9;]*[A-Za-z]", "", text or "")
    text = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", "", text)
    return " ".join(text.split())


def state(cell):
    return WORDS.get(cell["state"], cell["state"])


def name_safe(text):
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)


def anchor(cell):
    return f"{name_safe(cell['test'])}/{name_safe(cell['region'])}"


def events(cell):
    return cell["events"] + cell["teardown_events"]


def is_of_stack(event):
    return event["physical_id"] == event["stack_id"]


class Browser:
    """Pages of one file, each in a context of its own, and whatever they do that they should not."""

    def __init__(self, chromium):
        self.chromium = chromium
        self.faults = []

    def open(self, fragment="", **options):
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        context = self.chromium.new_context(**options)
        page = context.new_page()
        context.on("request", lambda it: self.asked(it.url))
        context.on("page", lambda it: self.faults.append(f"opened {it.url}") if it != page else None)
        page.on("console", lambda it: self.faults.append(f"console: {it.text}"))
        page.on("pageerror", lambda it: self.faults.append(f"error: {it}"))
        page.on("dialog", lambda it: (self.faults.append(f"dialog: {it.message}"), it.dismiss()))
        page.goto(address + (f"#{fragment}" if fragment else ""))
        self.behaves()
        return page

    def asked(self, url):
        if url.split("#")[0] != address:
            self.faults.append(f"request: {url}")

    def close(self, page):
        page.context.close()
        self.behaves()

    def behaves(self):
        check(not self.faults, f"the page did what it should not: {self.faults}")


def open_all(page):
    page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true })")
    until(page, "!document.querySelector('details > noscript')")


def until(page, expression, argument=None):
    """Polls from without: the page's policy lets nobody evaluate strings in it."""
    end = time.monotonic() + 15
    while not page.evaluate(expression, argument):
        check(time.monotonic() < end, f"this does not come true: {expression} {argument or ''}")
        time.sleep(0.02)


def article(page, cell):
    return page.locator(f"article[id='{anchor(cell)}']")


def shown(page):
    return page.eval_on_selector_all("main article[id]:not([hidden])", "all => all.map((it) => it.id)")


# --- What stands on it.


def the_matrix(page):
    links = page.eval_on_selector_all(".matrix a", "all => all.map((it) => [it.hash, it.textContent])")
    equal(sorted(it[0] for it in links), sorted(f"#{anchor(it)}" for it in report["cells"]), "cells of the matrix")
    words = dict(links)
    for cell in report["cells"]:
        check(state(cell) in words[f"#{anchor(cell)}"], f"{anchor(cell)} is not {state(cell)} in the matrix")
        equal(page.evaluate("(id) => !!document.getElementById(id)", anchor(cell)), True, f"a place for {anchor(cell)}")
    order = page.eval_on_selector_all("article[data-state]", "all => all.map((it) => it.dataset.state.split(' ')[0])")
    equal(order, sorted(order, key=URGENCY.index), "order of the stacks")


def the_root_cause(page, cell):
    cause = cell["root_cause"]
    box = article(page, cell).locator(".cause")
    if not cause:
        equal(box.count(), 0, f"root causes of {anchor(cell)}")
        return
    text = plain(box.text_content())
    check(plain(cause["text"]) in text, f"{cause['text']} is not in: {text}")
    if cause["source"]:
        place = f"{cause['source']['template']}:{cause['source']['line']}"
        check(place in text, f"{place} is not in: {text}")
        check(text.index(plain(cause["text"])) < text.index(place), "the place comes before the cause")
    for it in cause["parameters"]:
        check(plain(f"{it['key']}={it['value']}") in text, f"{it} is not in: {text}")
    if cause["hint"]:
        hint = plain(box.locator(".hint").text_content())
        equal(hint, "What may help " + plain(cause["hint"].replace("`", "")), "the hint")
    if cause["event_id"]:
        number = [it["event_id"] for it in cell["events"]].index(cause["event_id"]) + 1
        equal(box.locator("a[href^='#']").get_attribute("href"), f"#{anchor(cell)}/event-{number}", "link to the event")


def the_tables(page, cell):
    """Events, parameters, outputs and the timeline of a cell whose details are open."""
    place = article(page, cell)
    rows = place.locator(".events tbody tr").evaluate_all("all => all.map((row) => [row.id, row.cells[2].textContent, row.cells[4].textContent])")
    numbered = list(enumerate(events(cell), 1))
    equal([it[0] for it in rows], [f"{anchor(cell)}/event-{number}" for number, _ in numbered], "ids of event rows")
    equal([it[1] for it in rows], [it["status"] for _, it in numbered], "statuses of events")
    for row, (_, event) in zip(rows, numbered):
        check(plain(row[2]).endswith(plain(event["reason"])), f"{row} has another reason than {event}")
    pairs = place.locator(".pairs tbody tr").evaluate_all("all => all.map((row) => [...row.querySelectorAll('th code, td code')].map((it) => it.textContent))")
    expected = [[it["key"], it["value"]] for it in cell["outputs"] + cell["parameters"]]
    equal([[plain(it) for it in pair] for pair in pairs], [[plain(it) for it in pair] for pair in expected], "outputs and parameters")
    resources = {(it["stack_id"], it["logical_id"]) for it in cell["events"] if not is_of_stack(it)}
    names = place.locator(".timeline tbody th a").evaluate_all("all => all.map((it) => it.textContent)")
    whole = ["the whole stack"] if cell["events"] else []
    equal(sorted(map(plain, names)), sorted([plain(it[1]) for it in resources] + whole), "rows of the timeline")


def the_timeline(page, cell):
    """Every row says in words what its bars show, and lies under its own stack."""
    rows = article(page, cell).locator(".timeline tbody tr")
    said = rows.evaluate_all("""all => all.map((row) => ({
        name: row.querySelector("a").textContent,
        words: [...row.cells].slice(1, 4).map((it) => it.textContent.trim()),
        bars: [...row.querySelectorAll("div i")].map((it) => it.className),
        indent: parseFloat(getComputedStyle(row.cells[0]).paddingLeft),
        critical: row.className === "critical",
        said: row.querySelector("div").textContent,
    }))""")
    places = {(it["logical_id"], it["depth"] + 1) for it in cell["events"] if not is_of_stack(it)}
    for row in said:
        began, took, course = row["words"]
        check(re.search(r"\d", began) and re.search(r"\d", took) and course, f"a row without words: {row}")
        check(row["said"] == "" and row["bars"], f"a row without bars: {row}")
        check(("failed" in course) == any("ill" in it for it in row["bars"]), f"bars and words differ: {row}")
        check(("not ended" in course) == any("open" in it for it in row["bars"]), f"bars and words differ: {row}")
        if row["name"] != "the whole stack":
            check((row["name"], row["indent"] / 20) in places, f"{row} is indented as no event of it is nested")
    critical = [it["name"] for it in said if it["critical"]]
    check(critical, "no critical path")
    cause = cell["root_cause"]
    if cause and cause["event_id"]:
        equal(set(cause["path"]) <= set(critical), True, f"{cause['path']} on the critical path {critical}")
        check("up to the failure" in article(page, cell).locator(".legend").first.text_content(), "the legend")


def nothing_is_injected(page):
    equal(page.evaluate("document.scripts.length"), 1, "scripts on the page")
    strange = "img, svg, iframe, object, embed, base, link, audio, video, math, b > i, code b, [onerror], [onload], [onclick], [src]"
    equal(page.locator(f"body :is({strange})").count(), 0, "elements that nobody has put there")
    links = page.eval_on_selector_all("a[href]", "all => all.map((it) => it.getAttribute('href'))")
    allowed = re.compile(r"#|https://[\w.-]*console\.|[\w.-]+\.(txt|xml|json|ndjson)$")
    equal([it for it in links if not allowed.match(it)], [], "links that lead elsewhere")
    if report["simulated"] or report["endpoint"]:
        equal([it for it in links if it.startswith("https:")], [], "links to AWS from a run elsewhere")


# --- What a reader does with it.


def first_with_events(least=2):
    ranked = sorted(report["cells"], key=lambda it: URGENCY.index(state(it)))
    return next(it for it in ranked if len(it["events"]) >= least)


def is_revealed(page, row_id):
    until(page, "(id) => document.activeElement?.closest('tr')?.id === id", row_id)
    row = page.locator(f"tr[id='{row_id}']")
    check("is-linked" in row.get_attribute("class"), f"{row_id} is not marked")
    # Neither out of the window, nor of the box that scrolls, nor behind what stays at the top of both.
    until(page, """(id) => {
        const row = document.getElementById(id);
        const { left, top } = row.getBoundingClientRect();
        return document.elementFromPoint(left + 8, top + 8)?.closest("tr") === row;
    }""", row_id)
    equal(page.locator("tr.is-linked").count(), 1, "marked rows")


def deep_links(browser):
    cell = first_with_events()
    last = report["cells"][-1]
    page = browser.open(f"{anchor(cell)}/event-2")
    is_revealed(page, f"{anchor(cell)}/event-2")
    other = len(last["events"]) or 1
    if last["events"]:
        page.evaluate("(hash) => { location.hash = hash }", f"{anchor(last)}/event-{other}")
        is_revealed(page, f"{anchor(last)}/event-{other}")
    # The link of a root cause, twice: the second time the address stays the same.
    causes = [it for it in report["cells"] if (it["root_cause"] or {}).get("event_id")]
    if causes:
        link = article(page, causes[0]).locator(".cause a[href^='#']")
        target = link.get_attribute("href")[1:]
        for _ in range(2):
            link.click()
            is_revealed(page, target)
            page.evaluate("scrollTo(0, 0)")
    # From the timeline to an event.
    article(page, cell).locator("summary", has_text="Timeline").evaluate("it => { it.parentElement.open = true }")
    link = article(page, cell).locator(".timeline tbody a").last
    target = link.get_attribute("href")[1:]
    link.click()
    is_revealed(page, target)
    # A stack; an event of it that is filtered away; what isn't there leaves the page as it is.
    page.goto(f"{address}#{anchor(last)}")
    check(article(page, last).bounding_box()["y"] < 900, f"{anchor(last)} is not in view")
    page.evaluate("(hash) => { location.hash = hash }", "no/such/event-1")
    if len(report["cells"]) > 1:
        page.locator("form.filter [name=text]").fill("no such stack")
        until(page, "!document.querySelector('article[id]:not([hidden])')")
        page.evaluate("(hash) => { location.hash = hash }", f"{anchor(cell)}/event-1")
        is_revealed(page, f"{anchor(cell)}/event-1")
        equal(page.locator("form.filter [name=text]").input_value(), "", "the filter after a link")
    browser.close(page)


def the_filter(browser):
    page = browser.open()
    count = len(report["cells"])
    form, field = page.locator("form.filter"), page.locator("form.filter [name=text]")
    if count == 1:
        equal(form.count(), 0, "filters over a single stack")
        browser.close(page)
        return
    said = form.locator("output")
    equal(said.text_content(), f"{count} stacks", "the count at first")
    equal(said.get_attribute("aria-live"), "polite", "aria-live")

    def filters(text, expected, events_too=False):
        form.locator("[name=events]").set_checked(events_too)
        field.fill(text)
        want = f"{len(expected)} of {count} stacks" if len(expected) < count else f"{count} stacks"
        until(page, "(want) => document.querySelector('form.filter output').textContent === want", want)
        equal(sorted(shown(page)), sorted(anchor(it) for it in expected), f"stacks by {text!r}")
        rest = page.locator(".matrix tbody td a:not([hidden])").count()
        equal(rest, len(expected), "cells of the matrix")

    def text_of(cell):
        cause = cell["root_cause"] or {}
        notes = [f"{it['key']}={it['value']}" for it in cause.get("parameters", [])]
        notes += [(cause.get("source") or {}).get("template", ""), cause.get("hint") or ""]
        return plain(" ".join([cell["test"], cell["region"], cause.get("text", ""), *notes])).lower()

    region = report["cells"][-1]["region"]
    filters(region.upper(), [it for it in report["cells"] if region in text_of(it)])
    test = report["cells"][0]["test"]
    filters(f"{region} {test}", [it for it in report["cells"] if region in text_of(it) and test in text_of(it)])
    filters("no such stack", [])
    cell = first_with_events()
    word = next(it["logical_id"] for it in cell["events"] if not is_of_stack(it))
    has = lambda it: word.lower() in " ".join(plain(json.dumps(event)) for event in events(it)).lower()
    filters(word, [it for it in report["cells"] if word.lower() in text_of(it) or has(it)], events_too=True)
    filters("", report["cells"])
    causes = [it for it in report["cells"] if it["root_cause"]]
    if causes:
        reason = plain(causes[0]["root_cause"]["reason"]).lower()[-24:]
        filters(reason, [it for it in report["cells"] if reason in text_of(it)])
    left = [it for it in report["cells"] if it["teardown"]["state"] == "delete_failed"]
    if left:
        form.get_by_role("radio", name="not deleted").check()
        filters("", left)
        page.keyboard.press("Escape")
    # By keyboard alone: the slash, Esc, a state by its arrows.
    page.locator("h1").click()
    page.keyboard.press("/")
    equal(page.evaluate("document.activeElement.name"), "text", "what the slash gives the focus to")
    page.keyboard.type("zzz/")
    equal(field.input_value(), "zzz/", "a slash in the field")
    until(page, "!document.querySelector('article[id]:not([hidden])')")
    page.keyboard.press("Escape")
    equal((field.input_value(), len(shown(page))), ("", count), "after Esc")
    if form.locator("[name=state]").count():
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        equal(page.evaluate("document.activeElement.name"), "state", "what Tab leads to")
        page.keyboard.press("ArrowRight")
        first = page.evaluate("document.activeElement.value")
        wanted = sorted(anchor(it) for it in report["cells"] if state(it) == first)
        until(page, "(count) => document.querySelectorAll('article[id]:not([hidden])').length === count", len(wanted))
        equal(sorted(shown(page)), wanted, f"stacks that are {first}")
        page.keyboard.press("Escape")
        equal(len(shown(page)), count, "stacks after Esc")
    browser.close(page)


def the_event_tools(browser):
    cell = first_with_events()
    page = browser.open()
    details = article(page, cell).locator("details.has-events").first
    summary = details.locator("summary")
    # By keyboard: the summary opens, its table's tools come next.
    if details.get_attribute("open") is None:
        summary.focus()
        page.keyboard.press("Enter")
    details.locator(".tools").wait_for()
    summary.focus()
    page.keyboard.press("Tab")
    equal(page.evaluate("document.activeElement.type"), "search", "what comes after the summary")
    link = details.locator("tbody tr").last.locator("td a")
    equal(link.get_attribute("href"), f"#{anchor(cell)}/event-{len(cell['events'])}", "the link of the last event")
    word = next(it["logical_id"] for it in cell["events"] if not is_of_stack(it))
    page.keyboard.type(word)
    rows = lambda: details.locator("tbody tr:not([hidden])").evaluate_all("all => all.map((row) => row.textContent)")
    found = rows()
    check(found and all(word.lower() in it.lower() for it in found), f"rows by {word!r}: {found}")
    total = len(cell["events"])
    said = details.locator("output").text_content()
    equal(said, f"{len(found)} of {total} events" if len(found) < total else "", "the count of events")
    page.keyboard.press("Escape")
    equal(len(rows()), total, "events after Esc")
    for label, ending in [("failed", "_FAILED"), ("in progress", "_IN_PROGRESS"), ("complete", "_COMPLETE")]:
        details.get_by_label("Status").select_option(label)
        expected = sum(it["status"].endswith(ending) for it in cell["events"])
        equal(len(rows()), expected, f"events that are {label}")
    browser.close(page)


def without_scripts(browser):
    page = browser.open(java_script_enabled=False)
    check(not page.locator("form.filter").first.is_visible(), "a filter that does nothing")
    for cell in report["cells"]:
        closed = article(page, cell).locator("details:not([open]) > summary")
        while closed.count():
            closed.first.click()
        rows = article(page, cell).locator(".events tbody tr")
        equal(rows.count(), len(events(cell)), f"events of {anchor(cell)} without scripts")
        if rows.count():
            check(rows.last.is_visible(), f"events of {anchor(cell)} can't be seen without scripts")
            check(article(page, cell).locator(".timeline tbody tr").first.is_visible(), "no timeline without scripts")
        the_tables(page, cell)
        the_root_cause(page, cell)
    browser.close(page)


def accessible(browser):
    for scheme in ["light", "dark"]:
        page = browser.open(color_scheme=scheme)
        open_all(page)
        page.evaluate(AXE_SCRIPT)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        grave = [it for it in found if it["impact"] in ("serious", "critical")]
        said = [f"{it['id']}: {it['help']}: {[node['html'][:200] for node in it['nodes'][:3]]} {it['nodes'][0]['failureSummary']}" for it in grave]
        check(not grave, f"axe in {scheme}:\n" + "\n".join(said))
        for it in found:
            print(f"{pictures.name}, {scheme}: axe finds ({it['impact']}) {it['id']}: {[node['html'][:120] for node in it['nodes'][:2]]}")
        levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map((it) => +it.tagName[1])")
        check(levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:])), f"headings out of order: {levels}")
        browser.close(page)


def focus_is_seen(browser):
    page = browser.open()
    for _ in range(12):
        page.keyboard.press("Tab")
        seen = page.evaluate("""() => {
            const it = document.activeElement;
            const look = (it) => parseFloat(getComputedStyle(it).outlineWidth) > 0 && getComputedStyle(it).outlineStyle !== "none";
            return look(it) || (it.nextElementSibling && look(it.nextElementSibling)) || it === document.body;
        }""")
        check(seen, f"focus can't be seen on {page.evaluate('document.activeElement.outerHTML.slice(0, 200)')}")
    browser.close(page)


# --- How it looks, on the screen and on paper, and how fast it is.


def picture(page, name):
    height = min(page.evaluate("document.documentElement.scrollHeight"), 12000)
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.wait_for_timeout(150)
    page.screenshot(path=str(pictures / f"{name}.png"))


def pictures_of(browser):
    for name, options in {"light": {}, "dark": {"color_scheme": "dark"}}.items():
        page = browser.open(**options)
        picture(page, name)
        browser.close(page)
    page = browser.open(viewport={"width": 390, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    check(width <= 390, f"the page is {width} pixels wide on a screen of 390")
    picture(page, "narrow")
    browser.close(page)


def on_paper(browser):
    page = browser.open()
    page.emulate_media(media="print")
    check(not page.locator("form.filter, .tools").first.is_visible(), "controls on paper")
    for cell in report["cells"]:
        if cell["root_cause"]:
            check(article(page, cell).locator(".cause").is_visible(), f"no root cause of {anchor(cell)} on paper")
    # Paper doesn't scroll: what overflows there is printed over what follows.
    over = page.eval_on_selector_all(".scroll", "all => all.filter((it) => it.scrollHeight > it.clientHeight + 1).length")
    equal(over, 0, "boxes that overflow on paper")
    page.emulate_media(media=None)
    page.pdf(path=str(pictures / "print.pdf"), format="A4")
    check((pictures / "print.pdf").read_bytes().startswith(b"%PDF"), "no PDF")
    browser.close(page)


def the_time(browser):
    times = []
    for _ in range(3):
        page = browser.open()
        load = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        started = time.monotonic()
        summary = page.locator("article[id] .has-events summary").last
        summary.click()
        page.locator("article[id] .has-events").last.locator("tbody tr").first.wait_for()
        click = time.monotonic() - started
        times.append((load / 1000, click))
        browser.close(page)
    page = browser.open()
    started = time.monotonic()
    page.locator("form.filter [name=events]").check()
    page.locator("form.filter [name=text]").fill("no such event")
    until(page, "document.querySelector('form.filter output').textContent.startsWith('0 of')")
    search = time.monotonic() - started
    browser.close(page)
    load, click = sorted(times)[1]
    size = len(source.encode()) / 1e6
    count = sum(len(events(it)) for it in report["cells"])
    print(
        f"{len(report['cells'])} stacks, {count} events, {size:.1f} MB: loaded in {load:.2f} s, "
        f"events of the last stack {click:.2f} s after the click, all events searched in {search:.2f} s"
    )
    check(load + click < 10, f"the page takes {load:.1f} s to load and {click:.1f} s to open a stack's events")


def main():
    equal("CREATE_FAILED" in source, any(
        "CREATE_FAILED" in [cell["stack_status"], *(it["status"] for it in events(cell))] for cell in report["cells"]
    ), "CREATE_FAILED in the page")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        browser = Browser(chromium)
        page = browser.open()
        the_matrix(page)
        for cell in report["cells"]:
            the_root_cause(page, cell)
        if not many:
            open_all(page)
            for cell in report["cells"]:
                the_tables(page, cell)
                if cell["events"]:
                    the_timeline(page, cell)
        nothing_is_injected(page)
        browser.close(page)
        deep_links(browser)
        the_filter(browser)
        the_event_tools(browser)
        if many:
            the_time(browser)
        else:
            without_scripts(browser)
            accessible(browser)
            focus_is_seen(browser)
            on_paper(browser)
        pictures_of(browser)
        chromium.close()


main()
