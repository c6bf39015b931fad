//  pages.mjs console ADDRESS | workout ADDRESS | clicks ADDRESS SOURCE PORT - our pages in Debian's Chromium, led by
//  Playwright.
//
//  Says what it saw as lines of JSON; test_outsiders looks at them. At "want" it waits for a line: the node was killed,
//  started, or both.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [what, address, source, port] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (name, value) => { process.stdout.write(`${JSON.stringify({ [name]: value })}\n`); };
const want = async (deed) => { tell("want", deed); await lines.next(); };

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage();
const errors = [];
page.on("pageerror", (error) => errors.push(String(error)));

async function look() {
    await page.goto(`http://${address}/console`);
    await page.locator(".sign-in [name=name]").fill("ann");
    await page.locator(".sign-in [name=password]").fill("correct horse");
    await page.keyboard.press("Enter");
    await page.locator("#link[data-state=open]").waitFor();
    const seen = [];
    for (const key of "oskadf") {
        await page.keyboard.press("g");
        await page.keyboard.press(key);
        const current = page.locator("nav [aria-current]");
        await page.waitForFunction((before) => document.querySelector("nav [aria-current]").textContent !== before,
                                   seen.at(-1) ?? "");
        seen.push(await current.textContent());
    }
    tell("pages", seen);
    await want("kill");
    await page.locator("#link:not([data-state=open])").waitFor();
    await want("start");
    await page.locator("#link[data-state=open]").waitFor();
    tell("back", true);
    await page.locator("#leave").click();
    await page.locator(".sign-in").waitFor();
}

async function watch() {
    await page.goto(`http://${address}/`);
    await page.waitForFunction(() => document.querySelectorAll("#board tr").length === 3);
    await want("again");
    await page.waitForFunction(() => Number(document.querySelector("#reconnects").textContent) > 0);
    const before = await page.locator("#board").textContent();
    await page.waitForFunction((text) => document.querySelector("#board").textContent !== text, before);
    tell("missed", await page.locator("#missed").textContent());
}

const kept = (server) => new Promise((done) => {
    const opened = indexedDB.open(`troupe ${server}`);
    opened.onsuccess = () => {
        const count = opened.result.transaction("calls").objectStore("calls").count();
        count.onsuccess = () => { opened.result.close(); done(count.result === 5); };
    };
});

//  The page is there also while the node is not.
async function click() {
    const server = `ws://${address}/v1`, at = `http://127.0.0.1:${port}/index.html?actor=counter/a&server=${server}`;
    const files = createServer(async ({ url }, answer) => {
        const path = url.split("?")[0], place = path.startsWith("/client/") ? "clients/js/src" : "tests/browser/page";
        answer.setHeader("Content-Type", path.endsWith(".js") ? "text/javascript" : "text/html");
        answer.end(await readFile(`${source}/${place}${path.replace("/client/", "/")}`));
    });
    await once(files.listen(port, "127.0.0.1"), "listening");
    await page.goto(at);
    await page.waitForFunction("document.body.dataset.state === 'open'");
    await page.evaluate("clickMany(300)");
    for (const done of [60, 160]) {
        await page.waitForFunction(`counts.done >= ${done}`);
        await want("again");
    }
    await page.waitForFunction("counts.done === 300 && counts.events >= 300");
    tell("killed while it called", await page.evaluate("counts"));
    await want("kill");
    await page.waitForFunction("document.body.dataset.state === 'waiting'");
    await page.evaluate("clickMany(5)");
    await page.waitForFunction(kept, server);
    await page.goto(`${at}&again`);
    await page.waitForFunction("document.body.dataset.state === 'waiting'");
    await want("start");
    await page.waitForFunction("counts.done >= 5 && counts.events >= 305");
    tell("reloaded without it", await page.evaluate("counts"));
}

await { console: look, workout: watch, clicks: click }[what]();
await page.screenshot({ path: `${what}.png` });
tell("errors", errors);
await browser.close();
process.exit(0);
