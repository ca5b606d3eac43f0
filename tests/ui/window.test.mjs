// The window in a real browser, on a real daemon, with the rehearsal provider behind it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { axe, closeBrowser, Daemon, fits, id, missing, openPage } from "./support.mjs";

const SCREENS = [
  ["chat", "nav-chat", "composer"],
  ["health", "nav-health", "strip"],
  ["spend", "nav-spend", "spend-today"],
  ["settings", "nav-settings", "add-provider"],
];
const answer = (state) => `${id("message-assistant")}[data-state="${state}"]`;

before(() => assert.equal(missing(), null));
after(closeBrowser);

describe("a first start without keys", () => {
  let daemon, page, faults, context;
  before(async () => {
    daemon = await Daemon.start({ env: { WORK_API_KEY: "sk-work-not-a-real-key" } });
    ({ page, context, faults } = await openPage(daemon.url));
  });
  after(async () => {
    await context?.close();
    await daemon?.stop();
  });

  test("the token leaves the address bar", async () => {
    await page.waitForSelector(id("composer"));
    assert.ok(!page.url().includes("token"), page.url());
  });

  test("the rehearsal is the model, and the next steps are taught", async () => {
    await page.waitForSelector(id("first-start"));
    assert.match(await page.textContent(id("model-picker")), /rehearsal/i);
    assert.ok((await page.locator(id("drill")).count()) >= 8);
  });

  /** Opens a chat, and waits until it is the one that is written in. */
  async function newChat() {
    await page.click(id("new-chat"));
    await page.waitForFunction((sel) => document.querySelectorAll(sel).length === 0, '[data-testid^="message-"]');
    await page.waitForFunction((sel) => document.querySelector(sel)?.value === "", id("composer"));
  }

  test("a chat streams, grows, and ends with a receipt", async () => {
    await page.fill(id("composer"), "/drill long 120");
    await page.keyboard.press("Enter");
    await page.waitForSelector(answer("streaming"));
    const length = () => page.locator(id("message-assistant")).last().locator(".md").innerText().then((t) => t.length, () => 0);
    await page.waitForFunction((sel) => (document.querySelector(sel)?.textContent?.length ?? 0) > 40, `${answer("streaming")} .md`);
    const early = await length();
    await page.waitForSelector(answer("complete"), { timeout: 60_000 });
    assert.ok((await length()) > early, "the answer grew while it streamed");
    assert.match(await page.textContent(id("receipt")), /tok\/s.*in.*out/s);
    assert.match(await page.textContent(id("chat-row")), /drill|long/i);
  });

  test("the receipt opens its request", async () => {
    await page.locator(id("receipt")).last().click();
    await page.waitForSelector(id("request-detail"));
    await page.waitForSelector(`${id("request-detail")} >> text=Attempt`);
    assert.match(await page.textContent(id("request-detail")), /rehearsal/);
    await page.keyboard.press("Escape");
    await page.waitForSelector(id("request-detail"), { state: "detached" });
  });

  test("regenerate makes a second version, and both can be read", async () => {
    await page.locator(id("regenerate")).last().click();
    await page.waitForSelector(answer("streaming"));
    await page.waitForSelector(answer("complete"), { timeout: 60_000 });
    assert.match(await page.locator(id("siblings")).last().innerText(), /2 \/ 2/);
    const second = await page.locator(id("message-assistant")).last().getAttribute("data-message");
    await page.getByRole("button", { name: "Previous version" }).last().click();
    assert.match(await page.locator(id("siblings")).last().innerText(), /1 \/ 2/);
    assert.notEqual(await page.locator(id("message-assistant")).last().getAttribute("data-message"), second);
  });

  test("stop works before the first token", async () => {
    await newChat();
    await page.fill(id("composer"), "/drill slow-start 60");
    await page.click(id("send"));
    await page.waitForSelector(answer("streaming"));
    await page.click(id("stop"));
    await page.waitForSelector(answer("stopped"));
    assert.match(await page.locator(answer("stopped")).innerText(), /Stopped/);
  });

  test("Esc stops in the middle, and keeps what had arrived", async () => {
    await newChat();
    await page.fill(id("composer"), "/drill stall");
    await page.keyboard.press("Enter");
    await page.waitForSelector(`${answer("streaming")} .md`);
    await page.keyboard.press("Escape");
    await page.waitForSelector(answer("stopped"));
    assert.ok((await page.locator(`${answer("stopped")} .md`).innerText()).length > 0);
  });

  test("a failure says what happened and what to do", async () => {
    await newChat();
    await page.fill(id("composer"), "/drill 401");
    await page.keyboard.press("Enter");
    await page.waitForSelector(answer("failed"), { timeout: 30_000 });
    assert.match(await page.locator(`${answer("failed")} .end-note`).innerText(), /\w.*(Regenerate|regenerate|Check|Choose|choose)/);
  });

  test("an answer goes on while another chat is open, and is whole when one comes back", async () => {
    await newChat();
    await page.fill(id("composer"), "/drill long 200");
    await page.keyboard.press("Enter");
    await page.waitForSelector(`${answer("streaming")} .md`);
    const chat = page.url();
    await page.click(id("nav-health"));
    await page.goto(chat);
    await page.waitForSelector(`${answer("streaming")}, ${answer("complete")}`);
    await page.reload();
    await page.waitForSelector(answer("complete"), { timeout: 60_000 });
    assert.equal(await page.locator(id("message-assistant")).count(), 1);
  });

  test("the log follows the end, lets go of it when the reader scrolls up, and returns when asked", async () => {
    await page.setViewportSize({ width: 800, height: 420 });
    await page.click('.bar [title="Chats"]');
    await page.waitForSelector(".list.open");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".list.open", { state: "detached" });
    await page.click('.bar [title="Chats"]');
    await newChat();
    await page.waitForSelector(".list.open", { state: "detached" });
    await page.fill(id("composer"), "/drill long 600");
    await page.keyboard.press("Enter");
    const log = () => page.evaluate(() => {
      const el = document.querySelector('[role="log"]');
      return { top: el.scrollTop, height: el.scrollHeight, gap: el.scrollHeight - el.scrollTop - el.clientHeight, over: el.scrollHeight - el.clientHeight };
    });
    await page.waitForFunction(() => {
      const el = document.querySelector('[role="log"]');
      return el && el.scrollHeight - el.clientHeight > 250;
    });
    // Growth comes before the jump within a frame, so the end is waited for. A log that did not
    // follow would only get farther from it.
    const atEnd = () => page.waitForFunction(() => {
      const el = document.querySelector('[role="log"]');
      return el.scrollHeight - el.scrollTop - el.clientHeight <= 2;
    });
    await atEnd();
    await page.locator('[role="log"]').hover();
    await page.mouse.wheel(0, -120);
    await page.waitForSelector(id("to-end"));
    const left = await log();
    await page.waitForFunction((height) => document.querySelector('[role="log"]').scrollHeight > height + 60, left.height);
    assert.equal((await log()).top, left.top, "growth does not move the reader");
    await page.click(id("to-end"));
    await page.waitForSelector(id("to-end"), { state: "detached" });
    const back = await log();
    await page.waitForFunction((height) => document.querySelector('[role="log"]').scrollHeight > height + 30, back.height);
    await atEnd();
    await page.click(id("stop"));
    await page.waitForSelector(answer("stopped"));
  });

  test("the list of chats stays beside a wide window", async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.waitForSelector(id("chat-search"));
  });

  test("a question asked differently becomes a second version of it", async () => {
    await newChat();
    await page.fill(id("composer"), "first wording");
    await page.keyboard.press("Enter");
    await page.waitForSelector(answer("complete"), { timeout: 30_000 });
    await page.locator(id("message-user")).hover();
    await page.getByRole("button", { name: "Ask differently" }).click();
    await page.fill(id("composer"), "second wording");
    await page.keyboard.press("Enter");
    await page.waitForSelector(`${id("message-user")} >> text=second wording`);
    assert.match(await page.locator(`${id("message-user")} ${id("siblings")}`).innerText(), /2 \/ 2/);
    await page.waitForSelector(answer("complete"), { timeout: 30_000 });
    await page.keyboard.press("Alt+ArrowLeft");
    await page.waitForSelector(`${id("message-user")} >> text=first wording`);
  });

  test("a chat is renamed, found by its new name, and deleted after one question", async () => {
    await page.getByRole("heading", { level: 1 }).getByRole("button").click();
    await page.getByLabel("Title").fill("A renamed chat");
    await page.getByRole("button", { name: "Rename", exact: true }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.fill(id("chat-search"), "renamed");
    await page.waitForFunction((sel) => document.querySelectorAll(sel).length === 1, id("chat-row"));
    await page.locator(id("chat-row")).hover();
    await page.getByRole("button", { name: "More for A renamed chat" }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.waitForFunction((sel) => document.querySelectorAll(sel).length === 0, id("chat-row"));
    await page.fill(id("chat-search"), "");
    await page.waitForSelector(id("chat-row"));
  });

  test("a draft is there after a reload", async () => {
    await page.locator(`${id("chat-row")} a`).first().click();
    await page.waitForSelector(id("message-user"));
    await page.fill(id("composer"), "not sent yet");
    await page.locator(id("composer")).blur();
    await page.waitForResponse((r) => r.url().endsWith("/control/chats.set_draft"));
    await page.reload();
    await page.waitForFunction((sel) => document.querySelector(sel)?.value === "not sent yet", id("composer"));
    await page.fill(id("composer"), "");
  });

  test("health shows the rehearsal's lines and their last error", async () => {
    await page.click(id("nav-health"));
    await page.waitForSelector(id("health-row"));
    assert.match(await page.locator(id("health-row")).first().innerText(), /rehearsal/);
    await page.waitForSelector(".last-errors li");
  });

  test("spend counts the requests", async () => {
    await page.click(id("nav-spend"));
    await page.waitForSelector(id("spend-row"));
    assert.match(await page.textContent(id("spend-today")), /\$\d|unknown/);
    await page.keyboard.press("t");
    await page.waitForSelector(".daily-table");
    await page.keyboard.press("t");
    await page.waitForSelector(".chart-box svg");
  });

  test("a provider is added with a key from the environment", async () => {
    await page.click(id("nav-settings"));
    await page.click(id("add-provider"));
    await page.fill(id("provider-kind"), "groq");
    await page.keyboard.press("Enter");
    await page.fill(id("provider-id"), "work");
    await page.fill(id("provider-base-url"), "http://127.0.0.1:9/v1");
    await page.getByRole("radio", { name: "Environment" }).click();
    await page.fill(id("provider-env"), "WORK_API_KEY");
    await page.click(id("provider-save"));
    await page.waitForSelector(id("provider-row-work"));
    assert.equal(await page.getAttribute(id("provider-row-work"), "data-key-state"), "present");
    const file = readFileSync(join(daemon.dir, "signalbox.toml"), "utf8");
    assert.match(file, /id = "work"/);
    assert.match(file, /key = "env:WORK_API_KEY"/);
  });

  test("the test of a provider that cannot be reached says so", async () => {
    const row = page.locator(id("provider-row-work"));
    await row.getByRole("button", { name: "Test" }).click();
    await page.waitForFunction((sel) => /unreachable|network|connect|refused|failed/i.test(document.querySelector(sel)?.textContent ?? ""), id("provider-row-work"), { timeout: 30_000 });
  });

  test("a client key is shown once, works at the port, and is in no file", async () => {
    await page.getByRole("link", { name: "Client keys" }).click();
    await page.fill(id("client-name"), "my-editor");
    await page.click(id("client-add"));
    const key = (await page.textContent(id("client-key"))).trim();
    assert.match(key, /^sb-[\w-]{43}$/);
    const port = daemon.ready.listening;
    assert.ok((await page.textContent(id("strip"))).includes(port));
    const answer = await fetch(`http://${port}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    assert.equal(answer.status, 200);
    assert.equal((await fetch(`http://${port}/v1/models`, { headers: { authorization: "Bearer sb-wrong" } })).status, 401);
    await page.reload();
    await page.waitForSelector(id("client-row"));
    assert.equal(await page.locator(id("client-key")).count(), 0);
    for (const file of filesUnder(daemon.dir)) assert.ok(!readFileSync(file).includes(key), `${file} holds the key`);
  });

  test("a settings text with a mistake is refused with its line and the nearest key", async () => {
    await page.getByRole("link", { name: "Settings file" }).click();
    const text = await page.inputValue(id("settings-text"));
    await page.fill(id("settings-text"), text.replace("listen", "lisen"));
    await page.click(id("settings-save"));
    assert.match(await page.locator(id("settings-error")).innerText(), /line \d+[\s\S]*listen/);
    assert.equal(readFileSync(join(daemon.dir, "signalbox.toml"), "utf8"), text);
  });

  test("every action is in the palette, and Esc closes it", async () => {
    await page.keyboard.press("Control+k");
    await page.waitForSelector(id("palette"));
    await page.keyboard.type("spend");
    await page.keyboard.press("Enter");
    await page.waitForSelector(id("spend-today"));
    await page.keyboard.press("Control+k");
    await page.keyboard.press("Escape");
    await page.waitForSelector(id("palette"), { state: "detached" });
  });

  test("history and spend are there after a restart", async () => {
    await page.click(id("nav-chat"));
    await page.waitForSelector(id("chat-row"));
    const chats = await page.locator(id("chat-row")).count();
    assert.ok(chats >= 4);
    await daemon.end();
    // The page tells that the core is gone; its failed requests are the browser's to log.
    await page.waitForSelector(`${id("strip")} >> text=Not connected`);
    faults.length = 0;
    await context.close();
    daemon = await Daemon.start({ dir: daemon.dir });
    ({ page, context, faults } = await openPage(daemon.url));
    await page.waitForSelector(id("chat-row"));
    assert.equal(await page.locator(id("chat-row")).count(), chats);
    await page.click(id("nav-spend"));
    await page.waitForSelector(id("spend-row"));
  });

  for (const [width, height] of [[1280, 800], [800, 600]]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`every screen fits and is accessible at ${width} × ${height}, ${colorScheme}`, async () => {
        const view = await openPage(daemon.url, { width, height, colorScheme });
        for (const [name, nav, mark] of SCREENS) {
          await view.page.click(id(nav));
          await view.page.waitForSelector(id(mark));
          await view.page.waitForLoadState("networkidle", { timeout: 1000 }).catch(() => {});
          assert.ok(await fits(view.page), `${name} is larger than the window`);
          assert.deepEqual(await axe(view.page), [], name);
          if (process.env.SCREENSHOTS) await view.page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}-${width}x${height}-${colorScheme}.png`) });
        }
        assert.deepEqual(view.faults, []);
        await view.context.close();
      });
    }
  }

  test("nothing was logged as an error, nothing was refused by the policy, no stranger was asked", () => assert.deepEqual(faults, []));
});

test("a page without its token is told what to open", async () => {
  const daemon = await Daemon.start();
  try {
    const { page, context } = await openPage(daemon.url.split("#")[0]);
    await page.waitForSelector(`${id("strip")} >> text=Open the address that signalboxd printed`);
    await context.close();
  } finally {
    await daemon.stop();
  }
});

function filesUnder(dir) {
  return readdirSync(dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => join(e.parentPath ?? e.path, e.name));
}
