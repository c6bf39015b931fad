import assert from "node:assert/strict";
import { test } from "node:test";
import { SignIn, TroupeError } from "../src/troupe.js";
import { SimulatedClock } from "./time.js";

const lifeS = 900;

/** POST /auth/..., as the node answers it. */
class Office {
    clock = new SimulatedClock();
    asked = [];
    made = 0;
    current = null;   // the refresh token that is good, and the last exchange
    last = null;
    lost = 0;         // answers that do not arrive
    reachable = true;
    items = new Map();
    storage = {
        getItem: (name) => this.items.get(name) ?? null,
        setItem: (name, text) => this.items.set(name, text),
        removeItem: (name) => this.items.delete(name),
    };

    signIn(options) {
        return new SignIn("/auth", { fetch: this.fetch, clock: this.clock, storage: this.storage, ...options });
    }

    fetch = async (url, { body }) => {
        if (!this.reachable)
            throw new TypeError("fetch failed");
        const what = url.replace("/auth/", ""), sent = JSON.parse(body);
        this.asked.push({ what, ...sent });
        const [status, answer] = this[what](sent);
        if (this.lost-- > 0)
            throw new TypeError("fetch failed");
        return { ok: status === 200, status, json: async () => answer };
    };

    tokens() {
        this.current = `refresh-${++this.made}`;
        return { access_token: `access-${this.made}`, refresh_token: this.current, expires_in: lifeS, subject: "anna" };
    }

    login({ password }) {
        return password === "right" ? [200, this.tokens()]
            : password === "often" ? [429, { type: "urn:troupe:overloaded", detail: "wait", retry_after_ms: 500 }]
            : [401, { type: "urn:troupe:forbidden", detail: "the name or the password is wrong" }];
    }

    register = this.login;
    password = this.login;

    refresh({ refresh_token: shown, nonce }) {
        if (this.last?.shown === shown && this.last.nonce === nonce)
            return [200, this.last.answer];
        if (shown !== this.current)
            return [401, { type: "urn:troupe:forbidden", detail: "this sign-in has ended: sign in again" }];
        this.last = { shown, nonce, answer: this.tokens() };
        return [200, this.last.answer];
    }

    logout() {
        this.current = null;
        return [200, {}];
    }
}

test("login_gives_a_token_and_who_it_is", async () => {
    const office = new Office(), signIn = office.signIn({ clientName: "phone" });
    assert.deepEqual([signIn.subject, await signIn.token()], [undefined, undefined]);
    assert.equal(await signIn.login("anna", "right"), "anna");
    assert.deepEqual([signIn.subject, await signIn.token()], ["anna", "access-1"]);
    assert.deepEqual(office.asked, [{ what: "login", name: "anna", password: "right", client: "phone" }]);
});

test("errors_have_the_status_of_the_protocol", async () => {
    const office = new Office(), signIn = office.signIn();
    await assert.rejects(signIn.login("anna", "wrong"), (error) => error instanceof TroupeError
        && error.status === "forbidden" && error.text === "the name or the password is wrong");
    await assert.rejects(signIn.register("anna", "often"), { status: "overloaded", retryAfterMs: 500 });
    office.reachable = false;
    await assert.rejects(signIn.login("anna", "right"), { status: "unreachable" });
    assert.equal(signIn.subject, undefined);
});

test("token_is_renewed_before_it_ends_and_told", async () => {
    const office = new Office(), signIn = office.signIn(), told = [];
    signIn.on("token", (token) => told.push(token));
    await signIn.login("anna", "right");
    await office.clock.advance(lifeS * 1000 - 60_001);
    assert.equal(await signIn.token(), "access-1");
    await office.clock.advance(1);
    assert.equal(await signIn.token(), "access-2");
    await office.clock.advance(2 * lifeS * 1000);
    assert.deepEqual(told.slice(0, 4), ["access-1", "access-2", "access-3", "access-4"]);
});

test("all_who_ask_at_once_share_one_exchange", async () => {
    const office = new Office(), signIn = office.signIn();
    await signIn.login("anna", "right");
    signIn.close();
    await office.clock.advance(lifeS * 1000);
    assert.deepEqual(await Promise.all([signIn.token(), signIn.token()]), ["access-2", "access-2"]);
    assert.equal(office.asked.filter(({ what }) => what === "refresh").length, 1);
});

test("answer_that_was_lost_is_asked_for_with_the_same_nonce_also_after_a_reload", async () => {
    const office = new Office(), before = office.signIn();
    await before.login("anna", "right");
    before.close();
    office.lost = 1;
    await office.clock.advance(lifeS * 1000);
    await assert.rejects(before.token(), { status: "unreachable" });
    before.close();
    const after = office.signIn();
    assert.equal(await after.token(), "access-2");
    const [first, second] = office.asked.filter(({ what }) => what === "refresh");
    assert.deepEqual(first, second);
    after.close();
});

test("server_that_is_away_is_asked_again_and_the_token_used_until_its_end", async () => {
    const office = new Office(), signIn = office.signIn();
    await signIn.login("anna", "right");
    office.reachable = false;
    await office.clock.advance(lifeS * 1000 - 30_000);
    assert.equal(await signIn.token(), "access-1");
    office.reachable = true;
    await office.clock.advance(20_000);
    assert.equal(await signIn.token(), "access-2");
});

test("sign_in_that_has_ended_is_told_and_forgotten", async () => {
    const office = new Office(), signIn = office.signIn(), ends = [];
    signIn.on("end", (error) => ends.push(error?.status));
    await signIn.login("anna", "right");
    office.current = "somebody else's";
    await office.clock.advance(lifeS * 1000);
    assert.deepEqual([ends, signIn.subject, await signIn.token()], [["forbidden"], undefined, undefined]);
    assert.deepEqual([office.items.size, office.clock.timers], [0, 0]);
});

test("logout_ends_it_here_and_there", async () => {
    const office = new Office(), signIn = office.signIn();
    await signIn.login("anna", "right");
    await signIn.logout();
    assert.deepEqual([office.current, office.items.size, await signIn.token()], [null, 0, undefined]);
    await signIn.logout();
    assert.equal(office.asked.filter(({ what }) => what === "logout").length, 1);
});

test("logout_while_a_token_is_renewed_stays_one", async () => {
    const office = new Office(), signIn = office.signIn();
    await signIn.login("anna", "right");
    signIn.close();
    await office.clock.advance(lifeS * 1000);
    const asked = signIn.token();
    await signIn.logout();
    assert.deepEqual([await asked, signIn.subject, office.items.size], [undefined, undefined, 0]);
});

test("tab_that_was_first_is_noticed", async () => {
    const office = new Office(), signIn = office.signIn(), told = [];
    await signIn.login("anna", "right");
    const other = office.signIn();
    other.on("token", (token) => told.push(token));
    await office.clock.advance(lifeS * 1000 - 60_000);
    assert.deepEqual(told, ["access-2"]);
    assert.equal(office.asked.filter(({ what }) => what === "refresh").length, 1);
});

test("password_is_changed_with_the_old_one", async () => {
    const office = new Office(), signIn = office.signIn();
    await signIn.changePassword("anna", "right", "another");
    assert.deepEqual(office.asked, [{ what: "password", name: "anna", password: "right", new_password: "another" }]);
    assert.equal(await signIn.token(), "access-1");
});

test("signing_out_in_one_tab_is_told_in_the_other", async () => {
    const office = new Office();
    const one = office.signIn();
    await one.login("anna", "right");
    const other = office.signIn();
    const ends = [];
    one.on("end", () => ends.push("one"));
    other.on("end", () => ends.push("other"));
    office.logout = () => [200, {}];
    await one.logout();
    await office.clock.advance(lifeS * 1000);
    assert.deepEqual(ends, ["one", "other"]);
    [one, other].forEach((signIn) => signIn.close());
});
