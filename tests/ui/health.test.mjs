// Health: circuits, switches with their causes, and a person's hand on a target; in a real browser
// on a real daemon.
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

[[limit]]
provider = "rehearsal"
model = "fast"
requests_per_hour = 1000

[[budget]]
name = "daily"
amount = "8.00"
per = "day"
then = "warn"

# Open long enough to be looked at.
[routing.circuit]
open_for = "10m"
open_max = "10m"
`;

before(() => assert.equal(missing(), null));
after(closeBrowser);

describe("health", () => {
  let daemon, page, faults, context;
  const row = (line) => page.locator(`${id("health-row")}[data-line="${line}"]`);
  const act = async (line, what) => {
    await row(line).getByRole("button", { name: /Actions for/ }).click();
    await page.getByRole("menuitem", { name: what }).click();
  };

  before(async () => {
    daemon = await Daemon.start({ settings: SETTINGS });
    const { key } = await control(daemon, "clients.add", { name: "my-editor" });
    for (let n = 0; n < 6; n += 1) {
      const response = await fetch(`http://${daemon.ready.listening}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "deep", messages: [{ role: "user", content: "Explain tea" }] }),
      });
      assert.equal(response.status, 200, await response.text());
    }
    ({ page, context, faults } = await openPage(daemon.url));
    await page.click(id("nav-health"));
    await page.waitForSelector(id("health-row"));
  });
  after(async () => {
    await context?.close();
    await daemon?.stop();
  });

  test("a target that failed again and again is open, with the time to its probe", async () => {
    await row("dead/large").getByText(/open, probe in \d+ (s|min)/).waitFor();
    await page.waitForSelector(`${id("strip")} >> text=Worst line: open`);
  });

  test("the switches stand on the timeline with their cause, and lead to a request", async () => {
    const change = page.locator(id("switch-row")).first();
    assert.match(await change.innerText(), /dead → rehearsal[\s\S]*network/);
    await page.locator(".timeline").getByRole("button", { name: "Table" }).click();
    await page.getByRole("region", { name: "Switches as a table" }).getByText("dead large").waitFor();
    await page.locator(".timeline").getByRole("button", { name: "Picture" }).click();
    await change.getByRole("link").click();
    await page.locator(id("request-inspector")).getByText("answered after a switch").waitFor();
    await page.locator(id("request-inspector")).getByRole("tab", { name: "Decision" }).click();
    assert.match(await page.locator(".steps").innerText(), /large asked first[\s\S]*large failed[\s\S]*fast asked instead[\s\S]*fast answered/);
    await page.click(id("nav-health"));
  });

  test("what is left of a limit and of a budget is shown", async () => {
    assert.match(await row("rehearsal/fast").innerText(), /\d\d\s?%/);
    await row("rehearsal/fast").getByTitle(/of 1,000 requests an hour left.*from the settings/).waitFor();
    assert.match(await page.getByRole("region", { name: "Budgets" }).innerText(), /daily[\s\S]*\$0\.00 of \$8\.00 this day/);
  });

  test("a target is probed, parked, let in and taken out", async () => {
    await act("rehearsal/fast", "Probe now");
    await page.getByText(/fast answered in/).waitFor();
    await act("rehearsal/fast", "Park for an hour");
    await row("rehearsal/fast").getByText(/parked, \d+ min left/).waitFor();
    await act("rehearsal/fast", "Let in at once");
    await row("rehearsal/fast").getByText("ok", { exact: true }).waitFor();
    await act("rehearsal/fast", "Take out of routes");
    await row("rehearsal/fast").getByText("taken out by hand").waitFor();
    await act("rehearsal/fast", "Put back into routes");
    await row("rehearsal/fast").getByText("ok", { exact: true }).waitFor();
    await act("dead/large", "Probe now");
    await page.getByText(/large did not answer/).waitFor();
  });

  for (const [width, height] of [[1280, 800], [800, 600]]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`the screen fits and is accessible at ${width} × ${height}, ${colorScheme}`, async () => {
        const view = await openPage(daemon.url, { width, height, colorScheme });
        await view.page.click(id("nav-health"));
        await view.page.waitForSelector(id("switch-row"));
        assert.ok(await fits(view.page));
        assert.deepEqual(await axe(view.page), []);
        await shot(view.page, `health-full-${width}x${height}-${colorScheme}`);
        assert.deepEqual(view.faults, []);
        await view.context.close();
      });
    }
  }

  test("nothing was logged as an error", () => assert.deepEqual(faults, []));
});
