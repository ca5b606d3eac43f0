// The routes: shown in words, edited, and kept in the settings file; in a real browser on a real daemon.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { axe, closeBrowser, control, Daemon, fits, id, missing, openPage, shot } from "./support.mjs";

const SETTINGS = `[port]
listen = "127.0.0.1:0"

[discovery]
enabled = false

[[provider]]
id = "spare"
kind = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
key = "none"
models = ["large"]

# The good one.
[[route]]
name = "deep" # mine
targets = [
  { provider = "rehearsal", model = "steady" },
  { provider = "spare", model = "large", only_after = ["slow", "failed"] },
]
on_break = "continue"

[[route.rule]]
when = { min_input_tokens = 400_000 }
use = ["spare/large"]
`;

before(() => assert.equal(missing(), null));
after(closeBrowser);

describe("routes", () => {
  let daemon, page, faults, context;
  const file = () => readFileSync(join(daemon.dir, "signalbox.toml"), "utf8");
  const words = () => page.locator(id("route-words"));

  before(async () => {
    daemon = await Daemon.start({ settings: SETTINGS });
    ({ page, context, faults } = await openPage(daemon.url));
    await page.click(id("nav-routes"));
    await page.waitForSelector(id("route-editor"));
  });
  after(async () => {
    await context?.close();
    await daemon?.stop();
  });

  test("a route is said in plain words", async () => {
    const text = await words().innerText();
    assert.match(text, /A request of 400,000 tokens or more goes to large first\. Everything else goes to steady\./);
    assert.match(text, /large is asked only after the first token took too long or a failure\./);
    assert.match(text, /goes on from what was said/);
  });

  test("what is changed shows in the words at once, and in the file when it is saved", async () => {
    await page.getByRole("radio", { name: "Start again" }).click();
    await words().getByText("starts again").waitFor();
    assert.ok(file().includes('on_break = "continue"'), "nothing is written before it is saved");
    await page.getByLabel("Whole request").fill("90s");
    await words().getByText("90 s").waitFor();
    await page.getByRole("button", { name: "Move large up" }).click();
    await page.click(id("route-save"));
    await page.waitForFunction((sel) => document.querySelector(sel).disabled, id("route-save"));
    assert.match(file(), /# The good one\.[\s\S]*name = "deep" # mine[\s\S]*model = "large", only_after[\s\S]*model = "steady"/);
    assert.match(file(), /on_break = "restart"[\s\S]*total = "90s"/);
    const [route] = await control(daemon, "routes.list");
    assert.deepEqual([route.on_break, route.total_ms, route.targets.map((t) => t.model)], ["restart", 90_000, ["large", "steady"]]);
  });

  test("a mistake is refused with its reason, and the file stays", async () => {
    const before = file();
    await page.getByLabel("Whole request").fill("soon");
    await page.click(id("route-save"));
    await page.locator(".route-editor [role=alert]").getByText(/soon/).waitFor();
    assert.equal(file(), before);
    await page.getByRole("button", { name: "Undo" }).click();
    assert.equal(await page.getByLabel("Whole request").inputValue(), "90s");
  });

  test("a change of the file by another hand shows", async () => {
    const { text } = await control(daemon, "settings.get");
    assert.equal(await control(daemon, "settings.set_text", { text: text.replace('on_break = "restart"', 'on_break = "end"') }), null);
    await words().getByText("ends there").waitFor();
  });

  test("a new route answers under its name, and its last requests stand beside it", async () => {
    await page.getByRole("button", { name: "New route" }).click();
    await page.getByLabel("Name").fill("quick");
    await page.getByLabel("First target").selectOption("rehearsal/fast");
    await page.getByRole("button", { name: "Make route" }).click();
    await page.waitForSelector(`${id("route-editor")} >> text=quick`);
    await page.getByText("None yet.").waitFor();
    const chat = await control(daemon, "chats.create");
    await control(daemon, "chat.send", { chat_id: chat.id, parent_id: null, text: "Explain tea", model: "quick" });
    await page.locator(".last li").waitFor();
    assert.match(await page.locator(".last li").innerText(), /fast/);
  });

  test("a route is removed once it was asked for", async () => {
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Remove" }).click();
    await page.waitForFunction((sel) => document.querySelectorAll(sel).length === 1, id("route-link"));
    assert.ok(!file().includes("quick"));
  });

  for (const [width, height] of [[1280, 800], [800, 600]]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`the screen fits and is accessible at ${width} × ${height}, ${colorScheme}`, async () => {
        const view = await openPage(daemon.url, { width, height, colorScheme });
        await view.page.click(id("nav-routes"));
        await view.page.waitForSelector(id("route-editor"));
        assert.ok(await fits(view.page));
        assert.deepEqual(await axe(view.page), []);
        await shot(view.page, `routes-${width}x${height}-${colorScheme}`);
        assert.deepEqual(view.faults, []);
        await view.context.close();
      });
    }
  }

  test("nothing was logged as an error", () => assert.deepEqual(faults.filter((f) => !f.includes("status of 4")), []));
});
