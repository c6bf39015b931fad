//  The operator's console: sign-in, the connection, pages by the address behind #, the keyboard.

import { SignIn } from "./client/sign_in.js";
import { MemoryStore } from "./client/store.js";
import { connect } from "./client/troupe.js";
import { h, say, setText } from "./dom.js";
import { Figures } from "./figures.js";
import * as pages from "./pages.js";

const $ = (id) => document.getElementById(id);
const header = document.querySelector("header"), main = document.querySelector("main");
const tokenKey = "troupe-console-token", accountKey = "troupe-console-account", themeKey = "troupe-console-theme";
const menu = [["overview", "o", "Overview"], ["shards", "s", "Shards"], ["kinds", "k", "Kinds"],
              ["actors", "a", "Actors"], ["dead", "d", "Dead letters"], ["feeds", "f", "Feeds"]];
const waitMs = 10_000;

let troupe = null, figures = null, page = null;

// -------------------------------------------------------------------------------------------------------------------
//  In and out
// -------------------------------------------------------------------------------------------------------------------

/** Those who sign in by name have tokens that are renewed before they end; like a token they are gone with the tab. */
const account = new SignIn("/auth", { storage: sessionStorage, storageKey: accountKey, clientName: "console" });
account.on("token", () => troupe?.renew());
account.on("end", (error) => error && signOut(error.text));

function field(name, label, more) {
    return h("input", { name, placeholder: label, "aria-label": label, required: true, autocapitalize: "off",
                        ...more });
}

/** A form that shows why it failed. */
function form(submit, ...parts) {
    return h("form", {
        onsubmit: async (event) => {
            const { target } = event, button = target.querySelector("button");
            event.preventDefault();
            button.disabled = true;
            try {
                await submit(target.elements);
            } catch (error) {
                setText(main.querySelector("[role=alert]"), sentence(error.text ?? String(error)));
            } finally {
                button.disabled = false;
            }
        },
    }, ...parts, h("button", {}, "Sign in"));
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function showSignIn(text = "", isByToken = false) {
    document.title = "Troupe console";
    header.hidden = true;
    page = null;
    const name = field("name", "Name", { autocomplete: "username", spellcheck: "false" });
    const password = field("password", "Password", { type: "password", autocomplete: "current-password" });
    const token = field("token", "Token", { type: "password", autocomplete: "off" });
    const byName = form(async (elements) => {
        await account.login(elements.name.value.trim(), elements.password.value);
        enter(() => account.token());
    }, name, password);
    const byToken = form(({ token: { value } }) => enterWith(value.trim()),
                         h("p", {}, "A token of an operator, as this prints:"),
                         h("pre", {}, "troupe token $USER --operator"), token);
    main.replaceChildren(h("div.sign-in", {}, h("h1", {}, "Troupe console"), byName,
                           h("p.bad", { role: "alert" }, text),
                           h("details", { open: isByToken }, h("summary", {}, "With a token"), byToken)));
    (isByToken ? token : name).focus();
}

function enterWith(token) {
    sessionStorage.setItem(tokenKey, token);
    enter(token);
}

function enter(token) {
    figures = new Figures();
    pages.track(figures);
    troupe = connect("/v1", { token, clientName: "console", store: new MemoryStore(), timeoutMs: waitMs });
    const mine = troupe;
    //  A token that was good until now may only have ended: the next attempt brings another.
    let wasGood = false;
    troupe.on("state", (state) => {
        wasGood ||= state === "open" && Boolean(account.subject);
        if (troupe === mine)
            showLink();
    });
    troupe.on("error", (error) => {
        if (error.status === "forbidden" && !wasGood)
            signOut(`The node says: ${error.text}.`, mine);
        wasGood = false;
    });
    troupe.watch("node/self/figures", {
        onEvent: ({ body }) => take(body),
        onState: (state, error) => {
            if (state === "closed" && error && error.status !== "closed")
                signOut(error.status === "forbidden" ? noOperator() : error.text, mine);
        },
    });
    header.hidden = false;
    showLink();
    route();
}

const noOperator = () => account.subject ? `${account.subject} is no operator.` : "This token is not an operator's.";

function signOut(text, whose = troupe) {
    if (troupe !== whose || !troupe)
        return;
    const isByToken = sessionStorage.getItem(tokenKey) !== null;
    troupe = null;
    sessionStorage.removeItem(tokenKey);
    account.logout().catch(() => {});  // what the node does not hear ends by itself
    whose.close();
    showSignIn(text, isByToken);
}

/** A token that came in the address is taken out of it at once, so that it stays in no history. */
function tokenOfAddress() {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (token)
        history.replaceState(null, "", location.pathname);
    return token;
}

function showLink() {
    const texts = { open: "live", connecting: "connecting", waiting: "reconnecting" };
    $("link").dataset.state = troupe.state;
    setText($("link-text"), texts[troupe.state] ?? troupe.state);
}

// -------------------------------------------------------------------------------------------------------------------
//  Pages
// -------------------------------------------------------------------------------------------------------------------

const node = (verb, body) => troupe ? troupe.call("node/self", verb, body) : Promise.reject({ status: "closed" });

function take(sample) {
    figures.take(sample);
    if (!document.hidden)
        page?.update();
}

function route() {
    if (!troupe)
        return;
    const [name, word] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
    const isKnown = ["actor", "feed"].includes(name) ? Boolean(word) : menu.some(([one]) => one === name);
    const open = isKnown ? name : "overview";
    page = pages[open]({ figures, node, word });
    main.replaceChildren(page.element);
    document.title = `${page.title} – Troupe`;
    const current = { actor: "actors", feed: "feeds" }[open] ?? open;
    for (const link of header.querySelectorAll("nav a"))
        if (link.dataset.page === current)
            link.setAttribute("aria-current", "page");
        else
            link.removeAttribute("aria-current");
    scrollTo(0, 0);
    if (figures.now)
        page.update();
}

// -------------------------------------------------------------------------------------------------------------------
//  Light and dark
// -------------------------------------------------------------------------------------------------------------------

const themes = { auto: "light dark", light: "light", dark: "dark" };

function setTheme(theme) {
    document.documentElement.style.colorScheme = themes[theme];
    const name = theme[0].toUpperCase() + theme.slice(1);
    setText($("theme"), name);
    localStorage.setItem(themeKey, theme);
    page?.update();
}

function nextTheme() {
    const names = Object.keys(themes);
    setTheme(names[(names.indexOf(localStorage.getItem(themeKey) ?? "auto") + 1) % names.length]);
}

// -------------------------------------------------------------------------------------------------------------------
//  The keyboard
// -------------------------------------------------------------------------------------------------------------------

let isGoing = 0;

function step(by) {
    const rows = [...main.querySelectorAll("tr[data-row]")].filter((row) => row.offsetParent);
    const at = rows.indexOf(document.activeElement?.closest("tr[data-row]"));
    const row = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    (row?.hasAttribute("tabindex") ? row : row?.querySelector("a, button") ?? row)?.focus();
}

/** What a row has a key for. */
function press(key) {
    const button = document.activeElement?.closest("tr[data-row]")?.querySelector(`button[data-key="${key}"]`);
    button?.click();
    return Boolean(button);
}

const keys = {
    "/": () => {
        const box = document.querySelector("#find input");
        box.focus();
        box.select();
    },
    "?": () => $("keys").showModal(),
    "j": () => step(1),
    "k": () => step(-1),
    "t": nextTheme,
    "r": () => press("r"),
    "x": () => press("x"),
};
const helpOf = [["/", "inspect an actor"], ...menu.map(([, key, title]) => [`g ${key}`, title]),
                ["j k", "next row, row before"], ["Enter", "open the row"], ["r x", "dead letter: retry, drop"],
                ["t", "light or dark"], ["?", "this"]];

function heard(event) {
    const isTyping = event.target.closest("input, textarea, dialog[open]");
    if (event.key === "Escape" && event.target.closest("#find"))
        event.target.blur();
    if (!troupe || isTyping || event.ctrlKey || event.metaKey || event.altKey)
        return;
    const isSecond = event.timeStamp < isGoing;
    const target = isSecond ? menu.find(([, key]) => key === event.key) : null;
    isGoing = event.key === "g" && !isSecond ? event.timeStamp + 1500 : 0;
    if (target)
        location.hash = `#/${target[0]}`;
    else if (event.key === "Enter" && event.target.matches("tr"))
        press("Enter");
    else if (keys[event.key])
        keys[event.key]();
    else
        return;
    event.preventDefault();
}

// -------------------------------------------------------------------------------------------------------------------

function begin() {
    header.querySelector("nav").append(...menu.map(([name, key, title]) =>
        h("a", { href: `#/${name}`, "data-page": name, title: `g ${key}` }, title)));
    $("keys").querySelector("dl").append(...helpOf.map(([key, title]) =>
        h("div", {}, h("dt", {}, key.split(" ").map((one) => h("kbd", {}, one))), h("dd", {}, title))));
    $("find").addEventListener("submit", (event) => {
        event.preventDefault();
        const address = event.target.elements.address.value.trim();
        if (address.includes("/")) {
            location.hash = `#/actor/${encodeURIComponent(address)}`;
            event.target.reset();
        } else
            say("An actor is named kind/id.", true);
    });
    $("theme").addEventListener("click", nextTheme);
    $("help").addEventListener("click", keys["?"]);
    $("leave").addEventListener("click", () => signOut(""));
    addEventListener("hashchange", () => {
        const token = tokenOfAddress();
        if (token && !troupe)
            enterWith(token);
        else
            route();
    });
    addEventListener("keydown", heard);
    addEventListener("resize", () => page?.update());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page?.update());
    document.addEventListener("visibilitychange", () => document.hidden || !figures?.now || page?.update());
    setTheme(localStorage.getItem(themeKey) ?? "auto");
    const token = tokenOfAddress() ?? sessionStorage.getItem(tokenKey);
    if (token)
        enterWith(token);
    else if (account.subject)
        enter(() => account.token());
    else
        showSignIn();
}

begin();
