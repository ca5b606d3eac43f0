// The log of requests and its inspector, in a real browser on a real daemon.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { axe, closeBrowser, control, Daemon, fits, id, missing, openPage, shot } from "./support.mjs";

const SETTINGS = `[port]
listen = "127.0.0.1:0"

[discovery]
enabled = false

[[provider]]
id = "dead"
kind = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
key = "none"

[[route]]
name = "deep"
targets = [{ provider = "dead", model = "large" }, { provider = "rehearsal", model = "fast" }]
`;

before(() => assert.equal(missing(), null));
after(closeBrowser);

describe("requests", () => {
  let daemon, page, faults, context, key;
  const row = (status) => `${id("request-row")}[data-status="${status}"]`;

  /** Asks through the port, as any tool does. */
  async function ask(model, text, headers = {}) {
    const response = await fetch(`http://${daemon.ready.listening}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
      body: JSON.stringify({ model, messages: [{ role: "user", content: text }] }),
    });
    await response.text();
    return response;
  }

  before(async () => {
    daemon = await Daemon.start({ settings: SETTINGS });
    key = (await control(daemon, "clients.add", { name: "my-editor" })).key;
    ({ page, context, faults } = await openPage(daemon.url));
    await page.waitForSelector(id("nav-requests"));
  });
  after(async () => {
    await context?.close();
    await daemon?.stop();
  });

  test("an empty log says how to fill it", async () => {
    await page.click(id("nav-requests"));
    await page.waitForSelector("text=No requests yet");
  });

  test("requests appear by themselves, with who asked, who answered and after how many tries", async () => {
    assert.equal((await ask("rehearsal/fast", "Explain tea")).status, 200);
    await page.waitForSelector(row("ok"));
    assert.match(await page.locator(row("ok")).innerText(), /my-editor[\s\S]*fast[\s\S]*\$0/);
    assert.equal((await ask("deep", "Explain coffee")).status, 200);
    await page.waitForFunction((sel) => document.querySelectorAll(sel).length === 2, id("request-row"));
    await page.waitForSelector(`${row("ok")} >> role=img[name="answered after a switch"]`);
    await ask("rehearsal/fast", "/drill 401");
    await page.waitForSelector(row("failed"));
    assert.equal(await page.locator(id("request-row")).first().getAttribute("data-status"), "failed", "the newest is first");
  });

  test("a row opens beside the log and says how it went", async () => {
    await page.locator(row("ok")).first().click();
    const inspector = page.locator(id("request-inspector"));
    await inspector.getByText("answered after a switch").waitFor();
    await inspector.getByRole("img", { name: /attempt 1, dead: network/ }).waitFor();
    assert.match(page.url(), /#\/requests\/\w+/);
    await inspector.getByRole("tab", { name: /Attempts/ }).click();
    await inspector.getByText("asked instead").waitFor();
    assert.match(await inspector.innerText(), /1 dead large[\s\S]*network[\s\S]*rehearsal fast/);
  });

  test("the address leads back to the request after a reload", async () => {
    await page.reload();
    await page.locator(id("request-inspector")).getByText("answered after a switch").waitFor();
  });

  test("the keyboard walks the log, and Esc closes the inspector", async () => {
    const shown = () => page.locator(`${id("request-row")}[aria-current="true"]`).getAttribute("data-request");
    await page.locator(id("request-log")).focus();
    const before = await shown();
    await page.keyboard.press("ArrowDown");
    await page.waitForFunction(([sel, old]) => document.querySelector(sel)?.dataset.request !== old, [`${id("request-row")}[aria-current="true"]`, before]);
    await page.keyboard.press("k");
    await page.waitForFunction(([sel, old]) => document.querySelector(sel)?.dataset.request === old, [`${id("request-row")}[aria-current="true"]`, before]);
    await page.keyboard.press("Escape");
    await page.waitForSelector(id("request-inspector"), { state: "detached" });
  });

  test("curl has the dialect and the model, and no key", async () => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.locator(row("ok")).first().click();
    await page.getByRole("button", { name: "Copy as curl" }).click();
    await page.waitForSelector("text=put your prompt in");
    const line = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(line, new RegExp(`${daemon.ready.listening}/v1/chat/completions`));
    assert.match(line, /"model":"deep"/);
    assert.match(line, /\$SIGNALBOX_KEY/);
    assert.ok(!line.includes(key));
    await page.keyboard.press("Escape");
  });

  test("words in the field find requests, and a mistake is said", async () => {
    const rows = (n) => page.waitForFunction(([sel, n]) => document.querySelectorAll(sel).length === n, [id("request-row"), n]);
    await page.keyboard.press("Control+f");
    await page.keyboard.type("tried:dead");
    await rows(1);
    await page.fill(id("request-search"), "-status:ok");
    await page.waitForSelector(row("failed"));
    await rows(1);
    await page.fill(id("request-search"), "provider:nobody");
    await page.waitForSelector("text=No request matches");
    await page.fill(id("request-search"), "modle:fast");
    await page.waitForSelector(".search-problem >> text=modle:");
    await page.fill(id("request-search"), "");
    await rows(3);
    await page.getByRole("button", { name: "Switched" }).click();
    await rows(1);
    await page.getByRole("button", { name: "Switched" }).click();
    await rows(3);
  });

  test("a paused log stands still and catches up", async () => {
    await page.getByRole("button", { name: "Live" }).click();
    const heard = page.waitForResponse((r) => r.url().endsWith("/control/app.status"));
    await ask("rehearsal/fast", "One more");
    // The window heard of it, and the log was not read for it.
    await heard;
    assert.equal(await page.locator(id("request-row")).count(), 3);
    await page.getByRole("button", { name: "Paused" }).click();
    await page.waitForFunction((sel) => document.querySelectorAll(sel).length === 4, id("request-row"));
  });

  test("a chat's receipt leads to the log", async () => {
    await page.click(id("nav-chat"));
    await page.fill(id("composer"), "Explain cocoa");
    await page.keyboard.press("Enter");
    await page.locator(id("receipt")).last().click();
    await page.locator(id("request-detail")).getByRole("link", { name: "Show it in the log" }).click();
    const inspector = page.locator(id("request-inspector"));
    await inspector.getByRole("link", { name: "Open chat" }).waitFor();
    await inspector.getByRole("button", { name: "Copy as curl" }).click();
    await inspector.getByText("with the last question").waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /Explain cocoa/);
  });

  test("a thousand requests are drawn as they are scrolled to, in order and without gaps", async () => {
    await page.keyboard.press("Escape");
    for (let n = 0; n < 700; n += 50) await Promise.all(Array.from({ length: 50 }, () => ask("nobody/knows", "x")));
    await page.reload();
    await page.waitForSelector(id("request-row"));
    const drawn = () => page.locator(id("request-row")).evaluateAll((rows) => rows.map((r) => [Number(r.getAttribute("aria-rowindex")), r.dataset.request]));
    assert.ok((await drawn()).length < 150, "only what is in view is drawn");
    const seen = new Map();
    const log = page.locator(id("request-log"));
    for (let top = 0; seen.size < 700; top += 500) {
      await log.evaluate((el, top) => (el.scrollTop = top), top);
      // A row of the log stands in the middle of the view, whatever has to be read for it.
      await page.waitForFunction((sel) => {
        const box = document.querySelector(sel).getBoundingClientRect();
        return document.elementFromPoint(box.left + 40, box.top + box.height / 2)?.closest("[data-request]") !== null;
      }, id("request-log"));
      for (const [index, request] of await drawn()) seen.set(index, request);
      assert.ok(top < 60_000, `only ${seen.size} rows were found`);
    }
    assert.equal(new Set(seen.values()).size, seen.size, "each request stands once");
    assert.deepEqual([...seen.keys()].sort((a, b) => a - b), Array.from({ length: seen.size }, (_, i) => i + 2));
  });

  for (const [width, height] of [[1280, 800], [800, 600]]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`the screen fits and is accessible at ${width} × ${height}, ${colorScheme}`, async () => {
        const view = await openPage(daemon.url, { width, height, colorScheme });
        await view.page.click(id("nav-requests"));
        await view.page.fill(id("request-search"), "tried:dead client:my-editor");
        await view.page.waitForFunction((sel) => document.querySelectorAll(sel).length === 1, id("request-row"));
        await view.page.locator(id("request-row")).click();
        await view.page.locator(id("request-inspector")).getByText("Our id").waitFor();
        assert.ok(await fits(view.page));
        assert.deepEqual(await axe(view.page), []);
        await shot(view.page, `requests-${width}x${height}-${colorScheme}`);
        for (const name of ["Attempts"]) {
          await view.page.getByRole("tab", { name }).click();
          assert.deepEqual(await axe(view.page), [], name);
          await shot(view.page, `requests-${name.toLowerCase()}-${width}x${height}-${colorScheme}`);
        }
        assert.deepEqual(view.faults, []);
        await view.context.close();
      });
    }
  }

  test("nothing was logged as an error, nothing was refused by the policy", () => assert.deepEqual(faults, []));
});
