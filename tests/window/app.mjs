// The app under test: its folders, its process, and a provider that it can be pointed at.
import { execFile, spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, until } from "./webdriver.mjs";

const run = promisify(execFile);

export const BINARY = process.env.SIGNALBOX_APP;
if (!BINARY) throw new Error("SIGNALBOX_APP names no app; `cargo xtask test --only window` does");

/** One installation: a settings file and a data folder of its own. */
export class Home {
  constructor(port) {
    this.dir = mkdtempSync(join(tmpdir(), "signalbox-window-"));
    this.config = join(this.dir, "config", "signalbox.toml");
    this.data = join(this.dir, "data");
    this.port = port;
    mkdirSync(join(this.dir, "config"));
    writeFileSync(this.config, `# Kept by the window.\n[port]\nlisten = "127.0.0.1:${port}"\n`);
  }

  static async make() {
    return new Home(await freePort());
  }

  get args() {
    return ["--data-dir", this.data, "--config", this.config];
  }

  /** The app's process on this installation, or null. */
  pid() {
    for (const name of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        if (readlinkSync(`/proc/${name}/exe`) !== BINARY) continue;
        const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
        if (words.includes(this.data)) return Number(name);
      } catch {
        // It ended while we looked.
      }
    }
    return null;
  }

  /** Asks the app to end, as a log-out does, and waits until it has. */
  async quit(page) {
    const pid = this.pid();
    process.kill(pid, "SIGTERM");
    await until("the app has ended", () => !isAlive(pid));
    await page.close().catch(() => {});
  }
}

/** Whether a process runs; one that only waits to be reaped does not. */
function isAlive(pid) {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Starts a second copy without a driver and waits until it ends. */
export function startAgain(args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(BINARY, args, { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (data) => (stderr += data));
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve({ code, signal, stderr }));
  });
}

/** Every file under `folders` that holds `text`, as it is, in UTF-16 or in base64. */
export function filesHolding(text, folders) {
  const shapes = [Buffer.from(text), Buffer.from(text, "utf16le"), ...base64Shapes(text)];
  const holding = [];
  let searched = 0;
  const walk = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) return;
    if (stat.isDirectory()) return readdirSync(path).forEach((name) => walk(join(path, name)));
    if (!stat.isFile()) return;
    searched += 1;
    const bytes = readFileSync(path);
    if (shapes.some((shape) => bytes.includes(shape))) holding.push(path);
  };
  folders.forEach(walk);
  return { holding, searched };
}

/** The part of base64 that does not depend on what stands around the text, for each alignment. */
function base64Shapes(text) {
  return [0, 1, 2].map((shift) => {
    const encoded = Buffer.from("\0".repeat(shift) + text).toString("base64");
    return Buffer.from(encoded.slice(shift === 0 ? 0 : 4, -4));
  });
}

/** Whether the keychain holds an item of ours whose secret is `secret`. */
export async function keychainHolds(secret) {
  const search = ["search", "--all", "--unlock", "service", "signalbox"];
  const { stdout } = await run("secret-tool", search).catch((error) => error);
  return stdout.split("\n").includes(`secret = ${secret}`);
}

/** A provider that speaks OpenAI Chat and remembers which keys it was shown. */
export async function startProvider(model, answer, usage) {
  const keys = [];
  const server = createServer((request, response) => {
    keys.push(request.headers.authorization);
    if (request.url.endsWith("/models")) {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ object: "list", data: [{ id: model, object: "model", created: 1, owned_by: "test" }] }));
      return;
    }
    request.resume();
    request.on("end", () => {
      response.setHeader("content-type", "text/event-stream");
      const chunk = (delta, finish_reason = null) => ({ id: "c1", object: "chat.completion.chunk", created: 1, model, choices: [{ index: 0, delta, finish_reason }] });
      const last = { ...chunk({}), choices: [], usage };
      const events = [chunk({ role: "assistant", content: "" }), ...answer.split(/(?<= )/).map((content) => chunk({ content })), chunk({}, "stop"), last];
      events.forEach((event) => response.write(`data: ${JSON.stringify(event)}\n\n`));
      response.end("data: [DONE]\n\n");
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { keys, base_url: `http://127.0.0.1:${server.address().port}/v1`, stop: () => { server.closeAllConnections(); server.close(); } };
}

/** Saves what the screen shows where the window is. WebKit's own screenshots never come without a compositor. */
export async function screenshot(page, name) {
  const folder = process.env.SIGNALBOX_SCREENSHOTS ?? "target/screenshots";
  mkdirSync(folder, { recursive: true });
  // Two frames: the first may still show what was there before.
  await page.sendAsync("requestAnimationFrame(() => requestAnimationFrame(() => done()))");
  const [x, y, width, height] = await page.run("return [screenX, screenY, innerWidth, innerHeight];");
  const file = join(folder, `${name}.png`);
  await run("import", ["-window", "root", "-crop", `${width}x${height}+${x}+${y}`, "+repage", file]);
  return file;
}
