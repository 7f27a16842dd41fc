#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The page in headless Chromium, opened from the disk: trains with the bits of this computer, completes, quantises, saves, is
loaded again and goes on; tells a story; refuses what it cannot use, in a sentence.

  test_page.py CHROMEDRIVER CHROMIUM PAGE PAGE_WITHOUT_STORY HERE DATA [--pictures FOLDER]
"""
import base64
import gzip
import pathlib
import struct
import subprocess
import sys
import tempfile

from webdriver import EMPTY_PAGE, Browser

chromedriver, chromium, page, lone, here, data = sys.argv[1:7]
pictures = pathlib.Path(sys.argv[8]) if sys.argv[7:8] == ["--pictures"] else None
STEPS = 50
CHINESE = "学而时习之，不亦说乎？有朋自远方来，不亦乐乎？人不知而不愠，不亦君子乎？" * 30

# Files go to this instead of a folder of downloads.
CATCH = """window.saved = [];
download = (name, pieces) => new Blob(pieces).arrayBuffer().then((b) => saved.push([name, new Uint8Array(b)]));"""
SAVED = "return saved.map(([name, b]) => [name, btoa(b.reduce((s, x) => s + String.fromCharCode(x), ''))])[0]"


def expect(holds, *what):
    if not holds:
        sys.exit(" ".join(map(str, what)))


def number_of(bits):
    return struct.unpack(">f", bytes.fromhex(bits))[0]


def on_computer(*arguments):
    return subprocess.run([here, *map(str, arguments)], check=True, capture_output=True).stdout


def losses_here(*arguments):
    return [number_of(line.split()[0]) for line in on_computer(*arguments).decode().splitlines()]


def load(b, file=page):
    milliseconds = b.ready_after(file)
    b.run(CATCH)
    return milliseconds


def set_value(b, name, value):
    b.run("const e = $(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('input'))", name, value)


def refused(b, words, act):
    before = b.run("return [run.steps, $('text').value.length]")
    act()
    b.until("return !$('notice').hidden", f"the words {words!r}", 20)
    expect(words in b.text("#notice"), b.text("#notice"), "instead of", words)
    expect(b.run("return [run.steps, $('text').value.length]") == before, "something was lost by", words)


def save(b, button):
    b.run("saved.length = 0")
    b.click(button)
    b.until("return saved.length === 1", "a saved file")
    name, content = b.run(SAVED)
    return name, base64.b64decode(content)


def is_small():
    packed = len(gzip.compress(pathlib.Path(lone).read_bytes(), 9))
    print(f"the page without a story: {packed} bytes compressed")
    expect(packed <= 90 * 1024, "more than 90 KiB")


def is_ready(b, folder):
    """Soon, beside an empty page in this browser, as others may use this machine too; bench/page_ready.py measures."""
    empty = pathlib.Path(folder, "empty.html")
    empty.write_text(EMPTY_PAGE, encoding="utf-8")
    pairs = [(b.ready_after(empty), load(b, lone)) for _ in range(9)]
    nothing, page = map(min, zip(*pairs))
    expect(page - nothing <= 100, f"ready after {page:.0f} ms, an empty page after {nothing:.0f}")


def trains(b, folder):
    load(b)
    text = pathlib.Path(folder, "text")
    text.write_text(b.run("return $('text').value"), encoding="utf-8")
    set_value(b, "steps", STEPS)
    set_value(b, "every", 25)
    b.click("#start")
    b.until(f"return run.steps === {STEPS} && !run.going", "the steps")
    mine = losses_here("train", 0, text, STEPS, STEPS)
    there = b.run("return run.training.map((p) => p[1])")
    expect(there == mine, "losses differ:", there[:4], mine[:4])
    shown = float(b.text("#loss"))
    expect(shown < 3.6 and shown == round(mine[-1], 3), "the loss shown is", shown, "and not", mine[-1])
    expect(b.run("return run.validation.length") == 2, "two validations")
    b.until("return $('completions').children.length === 2", "two completions")
    expect(b.text("#completions .text").startswith("The ") and len(b.text("#completions .text")) > 50, "a completion")
    expect(b.run("return encoded(document.querySelector('#completions .text').textContent).length") >= 104, "100 bytes")
    print(f"{STEPS} losses are those of this computer, bit for bit; the last is {shown}")
    return text


def quantises(b):
    b.click("#compare")
    b.until("return $('comparison').tBodies[0].rows.length === 3", "three formats")
    rows = b.run("return [...$('comparison').tBodies[0].rows].map((r) => [...r.cells].map((c) => c.textContent))")
    sizes, losses = [int(r[1].replace(",", "")) for r in rows], [float(r[2]) for r in rows]
    expect(sizes == [482368, 133440, 74048], sizes)
    expect(max(losses) - min(losses) < 0.1 and abs(losses[0] - float(b.text("#validation"))) < 1e-3, losses)
    print("formats:", "; ".join(" ".join(r[:4]) for r in rows))


def saves_and_resumes(b, folder, text):
    file = pathlib.Path(folder, "saved.ctlm")
    b.run("$('prompt').value = 'The model'; $('temperature').value = 0; $('count').value = 30")
    b.click("#complete")
    b.until("return $('completions').children.length === 3", "a completion")
    told = b.text("#completions .text")
    name, image = save(b, "#save-image")
    file.write_bytes(image)
    expect(name == "model-f32.ctlm", name)
    tells = on_computer("tell", 0, 0, file, "The model", 30).decode(errors="replace")
    expect(told == "The model" + tells, "this computer tells", tells, "and the page", told)

    load(b)
    b.choose_files("#run-file", file)
    b.until("return run.helper !== null", "the model")
    b.run("$('prompt').value = 'The model'; $('temperature').value = 0; $('count').value = 30")
    b.click("#complete")
    b.until("return $('completions').children.length === 1", "a completion")
    expect(b.text("#completions .text") == told, "a model that is loaded tells another text")

    whole = losses_here("train", 0, text, STEPS, STEPS)
    on_computer("train", 0, text, 20, STEPS, "save", file)
    load(b)
    b.choose_files("#run-file", file)
    b.until("return run.steps === 20", "the checkpoint")
    b.click("#go-on")
    b.until(f"return run.steps === {STEPS} && !run.going", "the rest")
    expect(b.run("return run.training.map((p) => p[1])") == whole, "a run that is resumed differs")
    _, end = save(b, "#save-checkpoint")
    on_computer("train", 0, text, STEPS, STEPS, "save", file)
    curves = 64 + 2 * 1024 * 8 + 8  # at the end, with their checksum: the page has validated meanwhile
    expect(end[:-curves] == file.read_bytes()[:-curves], "the checkpoint is not this computer's")

    b.click("#keep")
    b.until("return $('kept').textContent !== ''", "the browser to keep it", 20)
    load(b)
    b.click("#take")
    b.until(f"return run.steps === {STEPS}", "what the browser keeps")
    expect(b.run("return run.training.map((p) => p[1])") == whole, "the curve of a kept run")
    print("models and checkpoints are this computer's; a reloaded page goes on with the same bits")


def refusals(b, folder):
    def drop(content, element="#run-file"):
        file = pathlib.Path(folder, "wrong")
        file.write_bytes(content)
        b.choose_files(element, file)

    image = save(b, "#save-image")[1]
    checkpoint = save(b, "#save-checkpoint")[1]
    refused(b, "zero bytes", lambda: drop(bytes(1000), "#text-file"))
    refused(b, "not a text in UTF-8", lambda: drop(b"\xff\xfe" * 500, "#text-file"))
    refused(b, "weights are missing", lambda: drop(image[:-1000]))
    refused(b, "checksum does not match", lambda: drop(image[:-1] + bytes([image[-1] ^ 1])))
    refused(b, "another model", lambda: drop(image[:16] + bytes(8) + image[24:]))
    refused(b, "damaged", lambda: drop(checkpoint[:-7]))
    refused(b, "not one of this page", lambda: drop(b"anything else " * 5000))
    b.run("indexedDB.open = () => { throw new Error('no storage') }")
    refused(b, "refuses to keep it (no storage)", lambda: b.click("#keep"))
    refused(b, "refuses its storage (no storage)", lambda: b.click("#take"))
    kept = b.run("return $('text').value")
    for text, words in [("  ", "There is no text"), ("short", "at least 2048")]:
        set_value(b, "text", text)
        refused(b, words, lambda: b.click("#start"))
    set_value(b, "text", kept)
    set_value(b, "steps", 0)
    refused(b, "steps must be", lambda: b.click("#start"))
    expect(b.run("return run.helper !== null && run.steps") == STEPS, "the run is lost")
    print("what cannot be used is refused in a sentence, and the run is still there")


def speaks_chinese(b):
    load(b)
    set_value(b, "text", CHINESE)
    set_value(b, "steps", 40)
    b.run("$('prompt').value = '学而'; $('every').value = 40; $('count').value = 30; $('temperature').value = 0.2")
    b.click("#start")
    b.until("return $('completions').children.length === 1", "a completion in Chinese")
    expect(b.text("#completions .text").startswith("学而"), b.text("#completions"))
    b.click("#start")  # begins again, and is stopped
    b.until("return run.going && run.steps > 0", "a second run")
    b.click("#stop")
    b.until("return !run.going", "a stop")
    expect(0 < b.run("return run.steps") < 40, "it did not stop")


def tells(b):
    if not pathlib.Path(data, "stories260K.bin").exists():
        return print(f"SKIPPED: no stories260K in {data}")
    load(b)
    b.until("return !$('tell').disabled", "the story's model")
    b.click("#tab-story")
    b.run("$('story-temperature').value = 0; $('beginning').value = ''; $('story-count').value = 200")
    b.click("#tell")
    b.until("return !$('tell').disabled && story.tokens.length > 0", "a story")
    golden = pathlib.Path(data, "stories260K_greedy64_tokens.txt").read_text().split()
    expect(b.run("return story.tokens")[:31] == [int(t) for t in golden[1:32]], "the story's tokens differ")
    words = pathlib.Path(data, "stories260K_golden_T0_n200.txt").read_text()
    expect(b.text("#told")[:80] == words[:80], b.text("#told"))
    # As llama2.c: encode("Once upon a time").
    expect(b.run("return story.vocabulary.encode('Once upon a time')") == [1, 403, 407, 261, 378], "a prompt's tokens")
    load(b, lone)
    b.click("#tab-story")
    expect(b.run("return $('tell').disabled") and "stories260K" in b.text("#story-state"), "a story without a model")
    b.choose_files("#story-files", pathlib.Path(data, "tok512.bin"))
    b.until("return $('story-state').textContent.includes('the image')", "the tokenizer")
    b.choose_files("#story-files", pathlib.Path(page).parent.parent / "stories260K.ctlm")
    b.until("return !$('tell').disabled", "the image")
    print("the story has the golden tokens:", words[:40].strip())


def takes_keys(b):
    load(b)
    b.run("$('tab-train').focus(); $('tab-train').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}))")
    expect(b.run("return document.activeElement.id === 'tab-story' && $('train').hidden"), "arrows change the tab")
    unnamed = b.run("""return [...document.querySelectorAll('input, textarea, select, button')].filter((e) =>
      !(e.labels?.length || e.textContent.trim() || e.getAttribute('aria-label'))).map((e) => e.id)""")
    expect(unnamed == [], "without a label:", unnamed)
    for width in (360, 1280):
        b.set_size(width, 900)
        for tab in ("train", "story"):
            b.run("showTab(arguments[0])", tab)
            expect(b.run("return document.documentElement.scrollWidth <= innerWidth"), tab, "is wider than", width)


def take_pictures(b):
    """Both tabs in both widths; dark on the narrow ones."""
    load(b)
    set_value(b, "steps", 400)
    set_value(b, "count", 80)
    set_value(b, "every", 100)
    b.click("#start")
    b.until("return run.steps === 400 && !run.going", "400 steps", 600)
    b.click("#compare")
    b.until("return $('comparison').tBodies[0].rows.length === 3", "three formats")
    b.click("#tell") if b.run("showTab('story'); return !$('tell').disabled") else None
    b.until("return !$('tell').disabled", "a story")
    b.hide_scrollbars()
    for name, width, heights, dark in [("wide", 1100, (960, 600), False), ("narrow", 390, (1060, 820), True)]:
        for tab, height in zip(("train", "story"), heights):
            b.run("showTab(arguments[0])", tab)
            b.set_dark(dark)
            b.set_size(width, height)
            b.run("if (arguments[0]) $('h-learning').scrollIntoView(); else scrollTo(0, 0)", width < 500 and tab == "train")
            b.screenshot(pictures / f"browser-{tab}-{name}.png")


is_small()
with tempfile.TemporaryDirectory() as temporary, Browser(chromedriver, chromium, f"{temporary}/profile") as browser:
    is_ready(browser, temporary)
    if pictures:
        take_pictures(browser)
        sys.exit()
    source = trains(browser, temporary)
    quantises(browser)
    saves_and_resumes(browser, temporary, source)
    refusals(browser, temporary)
    speaks_chinese(browser)
    tells(browser)
    takes_keys(browser)
    said = browser.console()
    expect(said == [], "the console says", said)
