# SPDX-License-Identifier: MIT
"""A browser through chromedriver, in the words of W3C's WebDriver: as little of it as the test of the page needs."""
import base64
import json
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # how WebDriver marks an element in JSON

READY = "return document.documentElement.dataset.ready"
EMPTY_PAGE = """<!doctype html><title>empty</title>
<script>addEventListener("load", () => { document.documentElement.dataset.ready = performance.now(); });</script>"""


class Browser:
    def __init__(self, chromedriver, chromium, profile):
        self.driver = subprocess.Popen([chromedriver, "--port=0"], stdout=subprocess.PIPE, text=True)
        port = None
        while port is None:
            line = self.driver.stdout.readline()
            if not line:
                raise SystemExit("chromedriver did not start")
            port = re.search(r"successfully on port (\d+)", line)
        self.base = f"http://127.0.0.1:{port[1]}"
        options = {"binary": chromium, "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                               "--force-color-profile=srgb", f"--user-data-dir={profile}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
                  "unhandledPromptBehavior": "accept", "timeouts": {"script": 120_000}}
        try:
            session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self.driver.kill()
            raise
        self.base += f"/session/{session['sessionId']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()

    def call(self, method, path, body=None):
        data = None if body is None and method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=150) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise SystemExit(f"{method} {path}: {json.load(e)['value']['message']}") from None

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def ready_after(self, file):
        """Opens a page that says when it is ready: after so many milliseconds."""
        self.open(f"file://{file}")
        self.until(READY, "the page to be ready")
        return float(self.run(READY))

    def run(self, script, *arguments):
        """A script's value, or that of the promise it returns."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def element(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.call("POST", f"/element/{self.element(css)}/click")

    def write(self, css, text):
        self.call("POST", f"/element/{self.element(css)}/value", {"text": text})

    def choose_files(self, css, *paths):
        self.write(css, "\n".join(str(pathlib.Path(p).resolve()) for p in paths))

    def text(self, css):
        return self.run("return document.querySelector(arguments[0]).textContent", css)

    def until(self, script, what, seconds=120):
        """Waits until a script's value is true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            if time.monotonic() > end:
                raise SystemExit(f"waited {seconds} seconds for {what}; the page says: {self.text('#notice')!r}")
            time.sleep(0.05)

    def console(self):
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING")]

    def set_size(self, width, height):
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}})

    def hide_scrollbars(self):
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setScrollbarsHidden", "params": {"hidden": True}})

    def set_dark(self, dark):
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}})

    def screenshot(self, file):
        pathlib.Path(file).write_bytes(base64.b64decode(self.call("GET", "/screenshot")))
