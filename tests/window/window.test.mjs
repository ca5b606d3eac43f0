// The real window, as a person uses it: WebKitGTK on a screen, a real Secret Service, real sockets.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { BINARY, Home, filesHolding, keychainHolds, screenshot, startAgain, startProvider } from "./app.mjs";
import { Driver, until } from "./webdriver.mjs";

const SECRET = "sk-window-test-Zq7vK2mXw9Rt4BnL";
const MODEL = "gpt-5.4-mini";
const ANSWER = "This sentence came from a provider that was added in the window.";

let driver, home, current, page, provider;

before(async () => {
  driver = await Driver.start();
  home = await Home.make();
  current = home;
  // 200,000 tokens in, 50,000 out: enough to be seen in cents.
  provider = await startProvider(MODEL, ANSWER, { prompt_tokens: 200_000, completion_tokens: 50_000, total_tokens: 250_000 });
  page = await driver.open(BINARY, home.args);
});

after(async () => {
  await page?.close().catch(() => {});
  provider?.stop();
  driver?.stop();
});

const state = () => page.run(`return [...document.querySelectorAll('[data-testid="message-assistant"]')].at(-1)?.dataset.state ?? null;`);
const ended = (what) => until(`the answer is ${what}`, async () => (await state()) === what);
const lastAnswer = () => page.last("message-assistant");
const pickModel = async (id) => {
  await page.click("model-picker");
  await clickWith("model-option", "model", id);
};
const send = async (text) => {
  await page.fill("composer", text);
  await page.click("send");
};

test("the first start asks for no key and says that the port is on", async () => {
  await page.find("first-start");
  await until("the strip names the port", async () => (await page.last("strip")).includes(`127.0.0.1:${home.port}`));
  assert.equal((await fetch(`http://127.0.0.1:${home.port}/healthz`)).status, 200);
});

test("an answer of the rehearsal grows before the eyes and ends with its receipt", async () => {
  await send("What happens when a provider breaks in the middle?");
  const lengths = new Set();
  await until("the answer is complete", async () => {
    const [now, text] = [await state(), await lastAnswer()];
    if (now === "streaming" && text) lengths.add(text.length);
    return now === "complete";
  });
  assert.ok(lengths.size >= 3, `it was seen at ${lengths.size} lengths only`);
  await page.find("receipt");
  assert.match(await page.last("receipt"), /tok/);
});

test("stop keeps what had arrived, and nothing follows", async () => {
  await send("/drill long");
  await until("some of it is there", async () => (await state()) === "streaming" && (await lastAnswer()).length > 200);
  await page.click("stop");
  await ended("stopped");
  const kept = await lastAnswer();
  assert.ok(kept.length > 100);
  // The core has settled the request, so no later delta can exist.
  await until("the strip shows nothing running", async () => {
    const status = await page.sendAsync("window.__TAURI_INTERNALS__.invoke('control', { name: 'app.status', args: {} }).then(done);");
    return status.running_requests === 0;
  });
  assert.equal(await lastAnswer(), kept);
});

test("a provider is added with its key, which is in the keychain and in no file", async () => {
  await page.click("nav-settings");
  await page.click("add-provider");
  await page.type("provider-kind", "openai");
  await clickWith("provider-kind-option", "kind", "openai");
  await page.fill("provider-id", "line-two");
  await page.fill("provider-base-url", provider.base_url);
  await page.fill("provider-key", SECRET);
  await page.click("provider-save");
  await page.find("provider-row-line-two");
  await until("the keychain holds the key", () => keychainHolds(SECRET));

  await page.click("nav-chat");
  await page.click("new-chat");
  await pickModel(`line-two/${MODEL}`);
  await send("Are you there?");
  await ended("complete");
  assert.ok((await lastAnswer()).includes(ANSWER));
  assert.ok(provider.keys.length > 0 && provider.keys.every((key) => key === `Bearer ${SECRET}`));

  const { holding, searched } = filesHolding(SECRET, [home.dir, process.env.HOME]);
  assert.ok(searched > 5, `only ${searched} files were searched`);
  assert.deepEqual(holding, []);
  assert.ok(!(await page.run("return document.documentElement.outerHTML;")).includes(SECRET), "the page still holds the key");
});

test("after a restart the chats, what they cost and the key are still there", async () => {
  await page.click("nav-spend");
  const spent = await until("today has a cost", async () => {
    const text = await page.last("spend-today");
    return /\$0\.[0-9]*[1-9]|\$[1-9]/.test(text) ? text : null;
  });
  await home.quit(page);
  page = await driver.open(BINARY, home.args);

  await page.find("chat-row");
  await until("both chats are listed", async () => (await page.texts("chat-row")).length === 2);
  await openChat("What happens");
  await until("its messages are back", async () => (await page.texts("message-user")).length === 2);
  const answers = await page.texts("message-assistant");
  assert.ok(answers[0].length > 100 && answers[1].length > 100);
  assert.equal(await state(), "stopped");

  await page.click("nav-spend");
  await until("today costs what it did", async () => (await page.last("spend-today")) === spent);

  await page.click("nav-chat");
  await page.click("new-chat");
  await pickModel(`line-two/${MODEL}`);
  await send("And now?");
  await ended("complete");
  assert.equal(provider.keys.at(-1), `Bearer ${SECRET}`);
});

test("the page reaches its core and nothing else", async () => {
  const attempt = (script) => page.sendAsync(`(async () => { ${script} })().then((value) => done("went through: " + value), (error) => done("refused: " + error));`);
  assert.match(await attempt(`await fetch("http://127.0.0.1:${home.port}/healthz");`), /^refused/);
  assert.match(await attempt("new Function('return 1')();"), /^refused/);
  assert.match(await attempt("await window.__TAURI_INTERNALS__.invoke('plugin:window|close', { label: 'main' });"), /^refused/);
  assert.match(await attempt("await window.__TAURI_INTERNALS__.invoke('plugin:event|emit', { event: 'x', payload: null });"), /^refused/);
  assert.match(await attempt("await window.__TAURI_INTERNALS__.invoke('open_link', { url: 'file:///etc/passwd' });"), /^refused/);
  assert.equal(await page.run("return typeof window.__TAURI__;"), "undefined");
  const styled = "const s = document.createElement('style'); s.textContent = ':root { --probe: 7 }'; document.head.append(s); return getComputedStyle(document.documentElement).getPropertyValue('--probe').trim();";
  assert.equal(await page.run(styled), "7", "the page's own styles must hold");
});

test("a second copy shows the first and ends", async () => {
  const second = await startAgain(home.args);
  assert.equal(second.code, 0, second.stderr);
  assert.equal(await page.run("return document.visibilityState;"), "visible");
});

test("without a session bus a second copy says whose the folder is and ends", async () => {
  const second = await startAgain(home.args, { DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent" });
  assert.notEqual(second.code, 0);
  assert.match(second.stderr, /already|another|in use/i);
});

test("every screen is seen in light and dark, wide and narrow", async () => {
  let chat = "";
  for (const [width, height] of [[1280, 800], [800, 600]]) {
    await page.resize(width, height);
    for (const theme of ["light", "dark"]) {
      await page.run("document.documentElement.dataset.theme = arguments[0];", theme);
      for (const screen of ["chat", "health", "spend", "settings"]) {
        await page.click(`nav-${screen}`);
        if (screen === "chat") {
          // In a narrow window the list is behind a button: the address does what a click in it would.
          if (width > 960) await openChat("What happens");
          else await page.run("location.hash = arguments[0];", chat);
          chat = await page.run("return location.hash;");
          await until("the chat is shown", async () => (await page.texts("message-user")).length === 2);
        }
        await until("nothing is wider than the window", () => page.run("return document.documentElement.scrollWidth <= innerWidth;"), 5);
        await screenshot(page, `${screen}-${theme}-${width}x${height}`);
      }
    }
  }
});

test("a port that is taken does not keep the window from opening, and it says so", async () => {
  const taken = await Home.make();
  const holder = createServer();
  await new Promise((resolve) => holder.listen(taken.port, "127.0.0.1", resolve));
  await onAnother(taken, () =>
    until("the strip says that the port is off", async () => /Port off/.test(await page.last("strip"))),
  );
  holder.close();
});

test("a settings file with a mistake does not keep the window from opening, and it says so", async () => {
  const broken = await Home.make();
  appendFileSync(broken.config, "\n[[provder]]\nid = \"x\"\n");
  await onAnother(broken, async () => {
    await until("the strip says that the file has a mistake", async () => /mistake/.test(await page.last("strip")));
    const { config_error } = await page.sendAsync("window.__TAURI_INTERNALS__.invoke('control', { name: 'app.status', args: {} }).then(done);");
    assert.match(config_error, /provder/);
    assert.match(config_error, /provider/);
  });
});

test("a damaged ledger is said plainly and left as it is until the user speaks", async () => {
  const damaged = await Home.make();
  const file = join(damaged.data, "signalbox.db");
  const bytes = randomBytes(40_000);
  mkdirSync(damaged.data);
  writeFileSync(file, bytes);
  await onAnother(damaged, () => until("the strip says that it is damaged", async () => /damaged/.test(await page.last("strip"))));
  assert.ok(readFileSync(file).equals(bytes));
});

/** Ends the app where it runs and uses it on another installation instead. */
async function onAnother(other, use) {
  await current.quit(page);
  current = other;
  page = await driver.open(BINARY, other.args);
  await use();
}

/** Clicks the element with this test id whose `data-NAME` is `value`, once it is there. */
async function clickWith(id, name, value) {
  await until(`${value} is offered`, () =>
    page.run(
      `const found = [...document.querySelectorAll('[data-testid="' + arguments[0] + '"]')].find((e) => e.dataset[arguments[1]] === arguments[2]);
       found?.click();
       return found !== undefined;`,
      id,
      name,
      value,
    ),
  );
}

async function openChat(title) {
  await until(`the chat "${title}" is listed`, () =>
    page.run(
      `const row = [...document.querySelectorAll('[data-testid="chat-row"]')].find((e) => e.innerText.includes(arguments[0]));
       (row?.querySelector("a, button") ?? row)?.click();
       return row !== undefined;`,
      title,
    ),
  );
}
