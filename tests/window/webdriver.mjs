// A WebDriver client of a few calls for WebKitWebDriver: enough to use the app as a person does.
import { spawn } from "node:child_process";
import { createServer } from "node:net";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** Calls `look` until it gives something truthy; an error with `what` when `seconds` have passed. */
export async function until(what, look, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  let last = null;
  for (;;) {
    try {
      const found = await look();
      if (found) return found;
      last = null;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s${last ? `; last: ${last.message}` : ""}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A port that nothing listens on at this moment. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The running driver; one for a whole test file. */
export class Driver {
  static async start() {
    const driver = new Driver();
    driver.port = await freePort();
    // Tauri lets a driver in only where the variable says so.
    const env = { ...process.env, TAURI_WEBVIEW_AUTOMATION: "true" };
    driver.child = spawn("WebKitWebDriver", [`--port=${driver.port}`], { env, stdio: ["ignore", "inherit", "inherit"] });
    await until("WebKitWebDriver answers", async () => (await fetch(`${driver.base}/status`)).ok);
    return driver;
  }

  get base() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts the app and waits for its page. */
  async open(binary, args) {
    const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": { binary, args } } };
    const { sessionId } = await this.send("POST", "/session", { capabilities });
    return new Page(this, sessionId);
  }

  async send(method, path, body) {
    const options = { method, headers: { "content-type": "application/json" } };
    if (method === "POST") options.body = JSON.stringify(body ?? {});
    const response = await fetch(`${this.base}${path}`, options);
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  }

  stop() {
    this.child.kill();
  }
}

/** One window of the app. Elements are named by their `data-testid`. */
export class Page {
  constructor(driver, session) {
    this.driver = driver;
    this.session = session;
  }

  send(method, path, body) {
    return this.driver.send(method, `/session/${this.session}${path}`, body);
  }

  /** Runs a function's body in the page and returns what it returns. */
  run(script, ...args) {
    return this.send("POST", "/execute/sync", { script, args });
  }

  /** Runs a script that calls `done` when it is finished. */
  sendAsync(script) {
    return this.send("POST", "/execute/async", { script: `const done = arguments[arguments.length - 1]; ${script}`, args: [] });
  }

  /** The elements that `css` finds, in the page's order. */
  async all(css) {
    const found = await this.send("POST", "/elements", { using: "css selector", value: css });
    return found.map((element) => element[ELEMENT]);
  }

  /** The first element with this test id, once it is there. */
  async find(id, seconds = 30) {
    return (await until(`[${id}] is there`, async () => (await this.all(byId(id)))[0], seconds));
  }

  async has(id) {
    return (await this.all(byId(id))).length > 0;
  }

  async click(id) {
    await until(`[${id}] can be clicked`, async () => {
      await this.send("POST", `/element/${await this.find(id)}/click`);
      return true;
    });
  }

  /** Types into a field as a person would, key by key. */
  async type(id, text) {
    await this.send("POST", `/element/${await this.find(id)}/value`, { text });
  }

  /** Empties a field, then types into it. */
  async fill(id, text) {
    await this.send("POST", `/element/${await this.find(id)}/clear`);
    await this.type(id, text);
  }

  /** The text of every element with this test id. */
  texts(id) {
    return this.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText);", byId(id));
  }

  /** The text of the last element with this test id, or an empty one. */
  async last(id) {
    return (await this.texts(id)).at(-1) ?? "";
  }

  async resize(width, height) {
    await this.send("POST", "/window/rect", { width, height });
    await until(`the page is ${width} wide`, async () => (await this.run("return window.innerWidth;")) === width, 5);
  }

  async close() {
    await this.send("DELETE", "");
  }
}

const byId = (id) => `[data-testid="${id}"]`;
