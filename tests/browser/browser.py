"""browser.py - a Chromium without a window, over its DevTools protocol."""
import asyncio
import atexit
import base64
import functools
import json
import os
import re
import shutil
import subprocess
import time

import websockets

PATIENCE_S = 30


def program():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@functools.cache
def start():
    """One for all tests: its start takes longer than they do. Where it listens."""
    with open("browser.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [program(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={os.getcwd()}/browser",
             "about:blank"],
            stdout=subprocess.DEVNULL, stderr=log, env=dict(os.environ, HOME=os.getcwd(), TMPDIR=os.getcwd()))
    atexit.register(lambda: (process.terminate(), process.wait(PATIENCE_S)))
    while process.poll() is None:
        with open("browser.log", encoding="utf-8", errors="replace") as log:
            listens = re.search(r"DevTools listening on (\S+)\n", log.read())
        if listens:
            return listens.group(1)
        time.sleep(.02)
    raise RuntimeError("the browser left before it listened")


class Browser:
    async def __aenter__(self):
        self.socket = await websockets.connect(start(), max_size=None, ping_interval=None)
        self.numbers, self.waiting, self.errors, self.targets = 0, {}, [], []
        self.reader = asyncio.create_task(self.read())
        return self

    async def __aexit__(self, *_):
        for target in self.targets:
            await self.ask("Target.closeTarget", targetId=target)
        self.reader.cancel()
        await self.socket.close()

    async def read(self):
        async for text in self.socket:
            message = json.loads(text)
            if "id" in message:
                answer = self.waiting.pop(message["id"])
                if not answer.done():  # nobody had the patience to wait for it
                    answer.set_result(message)
            elif message["method"] == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description") or details["text"])

    async def ask(self, method, session=None, **params):
        self.numbers += 1
        answer = self.waiting[self.numbers] = asyncio.get_running_loop().create_future()
        message = {"id": self.numbers, "method": method, "params": params}
        await self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        message = await asyncio.wait_for(answer, PATIENCE_S)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    async def open(self, url, width=1300, height=950):
        target = (await self.ask("Target.createTarget", url="about:blank"))["targetId"]
        self.targets.append(target)
        attached = await self.ask("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self, attached["sessionId"])
        await page.ask("Page.enable")
        await page.ask("Runtime.enable")
        await page.ask("Network.enable")
        await page.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                       mobile=width < 500)
        await page.go(url)
        return page


class Page:
    def __init__(self, browser, session):
        self.browser, self.session = browser, session

    async def ask(self, method, **params):
        return await self.browser.ask(method, self.session, **params)

    async def go(self, url):
        await self.ask("Page.navigate", url=url)

    async def eval(self, expression):
        result = await self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"].get("description", expression))
        return result["result"].get("value")

    async def until(self, condition):
        """Waits in the page until the expression is something, and returns that. It is looked at anew in a new page."""
        look = f"""new Promise((done) => {{
            const look = () => {{ const is = ({condition}); is ? done(is) : setTimeout(look, 20); }};
            look();
        }})"""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_S
        while loop.time() < end:
            try:
                return await asyncio.wait_for(self.eval(look), end - loop.time())
            except asyncio.TimeoutError:
                break
            except RuntimeError as error:  # another page came while it was waited for, or it is not there yet
                if not re.search("context|navigated|TypeError|ReferenceError", str(error)):
                    raise
        raise TimeoutError(condition)

    async def text_of(self, selector):
        return await self.eval(f"document.querySelector({json.dumps(selector)}).textContent")

    async def click(self, selector):
        await self.until(f"document.querySelector({json.dumps(selector)})")
        await self.eval(f"document.querySelector({json.dumps(selector)}).click()")

    async def press(self, *keys):
        for key in keys:
            text, code = ("\r", 13) if key == "Enter" else (key, 0)
            await self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
            await self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    async def type(self, text):
        await self.ask("Input.insertText", text=text)

    async def be_away(self, is_away):
        """Takes the page's network away, or gives it back."""
        await self.ask("Network.emulateNetworkConditions", offline=is_away, latency=0, downloadThroughput=-1,
                       uploadThroughput=-1)

    async def scheme(self, name):
        await self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def shoot(self, name):
        """A picture for people, in the build's directory."""
        place = os.environ["TROUPE_BUILD"] + "/tests/browser/pictures"
        os.makedirs(place, exist_ok=True)
        picture = await self.ask("Page.captureScreenshot", format="png")
        with open(f"{place}/{name}.png", "wb") as file:
            file.write(base64.b64decode(picture["data"]))
