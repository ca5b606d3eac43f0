// What the browser tests share: a daemon of their own on free ports with its own settings and
// data, a Chromium, and a page that fails the test on any console error or CSP violation.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const READY_WITHIN_MS = 30_000;

export const SIGNALBOXD = process.env.SIGNALBOXD ?? new URL("../../target/debug/signalboxd", import.meta.url).pathname;
export const CHROMIUM = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

/** Why the tests cannot run here, or null. Missing parts are a failure, not a skip. */
export function missing() {
  if (!existsSync(SIGNALBOXD)) return `${SIGNALBOXD} is not built: cargo build -p headless, or set SIGNALBOXD`;
  if (!CHROMIUM) return "no Chromium: apt-get install chromium, or set CHROMIUM";
  return null;
}

/** A running daemon. `url` opens the window with its token. */
export class Daemon {
  static async start({ settings = '[port]\nlisten = "127.0.0.1:0"\n', env = {}, dir = mkdtempSync(join(tmpdir(), "signalbox-ui-")) } = {}) {
    const config = join(dir, "signalbox.toml");
    if (!existsSync(config)) writeFileSync(config, settings);
    const args = ["serve", "--config", config, "--data-dir", join(dir, "data")];
    const child = spawn(SIGNALBOXD, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent", ...env } });
    const daemon = new Daemon(dir, child);
    daemon.ready = await daemon.#firstLine();
    daemon.url = windowUrl(daemon.ready);
    return daemon;
  }

  constructor(dir, child) {
    this.dir = dir;
    this.child = child;
    this.log = "";
    child.stderr.on("data", (bytes) => (this.log += bytes));
  }

  #firstLine() {
    return new Promise((resolve, reject) => {
      let text = "";
      const fail = (why) => reject(new Error(`signalboxd ${why}\n${text}\n${this.log}`));
      const timer = setTimeout(() => fail("did not say that it listens"), READY_WITHIN_MS);
      this.child.once("exit", (code) => fail(`ended with ${code}`));
      this.child.stdout.on("data", (bytes) => {
        text += bytes;
        const line = text.split("\n").slice(0, -1).find((l) => l.startsWith("{"));
        if (!line) return;
        clearTimeout(timer);
        this.child.removeAllListeners("exit");
        resolve(JSON.parse(line));
      });
    });
  }

  /** Ends the process and leaves its data, for a second start in the same place. */
  async end() {
    if (this.child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await gone;
  }

  async stop() {
    await this.end();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The line names the address of the window somewhere; it is the one that carries the token. */
function windowUrl(line) {
  const url = Object.values(line).find((v) => typeof v === "string" && v.includes("#token="));
  if (!url) throw new Error(`no address with #token= in ${JSON.stringify(line)}`);
  return url;
}

let browser;

export async function openBrowser() {
  browser ??= await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = undefined;
}

/** A page whose console errors, failed scripts and CSP violations are collected in `faults`. */
export async function openPage(url, { width = 1280, height = 800, colorScheme = "light" } = {}) {
  const context = await (await openBrowser()).newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (m) => {
    if (m.type() === "error") faults.push(m.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (protocol.startsWith("http") && hostname !== "127.0.0.1" && hostname !== "localhost") faults.push(`asked ${request.url()}`);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`));
  });
  await page.goto(url);
  return { page, context, faults };
}

export const id = (name) => `[data-testid="${name}"]`;

/** What axe finds wrong on the page, one line each. */
export async function axe(page) {
  // The test's own script; the page's policy would rightly refuse it as an inline one.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: AXE });
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")}`);
}

/** True where nothing of the page is wider or taller than the window. */
export function fits(page) {
  return page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight);
}

/** One command of the control surface, as the window sends it. */
export async function control(daemon, command, args = {}) {
  const { origin, hash } = new URL(daemon.url);
  const response = await fetch(`${origin}/control/${command}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${new URLSearchParams(hash.slice(1)).get("token")}` },
    body: JSON.stringify(args),
  });
  const body = await response.json();
  if (!response.ok) throw new Error(`${command}: ${JSON.stringify(body)}`);
  return body;
}

/** Keeps a picture, where SCREENSHOTS names a folder. */
export async function shot(page, name) {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
}
