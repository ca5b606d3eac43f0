// The official Anthropic SDK for Node against signalboxd, whose providers replay recorded answers.
//
// The cases are those of openai.test.mjs: what a plain reading of each record says, in OpenAI's words
// for why an answer stopped. A client of Anthropic's sees the first choice; it cannot ask for more.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import Anthropic, * as sdk from "@anthropic-ai/sdk";

const plan = JSON.parse(readFileSync(process.env.SIGNALBOX_SDK_CASES, "utf8"));
const baseURL = plan.base_url.replace(/\/v1$/, "");
const client = new Anthropic({ baseURL, apiKey: plan.api_key, maxRetries: 0, timeout: 60_000 });
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ name: "get_weather", description: "The weather in a city.", input_schema: schema }];
// A tiny valid PNG.
const pixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
// OpenAI's words for why an answer stopped, and what Anthropic says for each.
const stops = {
  stop: ["end_turn", "stop_sequence", "pause_turn"],
  length: ["max_tokens", "model_context_window_exceeded"],
  tool_calls: ["tool_use"],
  content_filter: ["refusal"],
};

const cases = (kind) => plan.cases.filter((one) => one.kind === kind);

/** The request: tools are declared where the recorded answer calls some. */
function asked(one, more = {}) {
  const hasCalls = one.expected?.choices.some((choice) => choice.calls.length > 0);
  const messages = [{ role: "user", content: "Hello" }];
  return { model: one.model, max_tokens: 1000, messages, ...(hasCalls ? { tools } : {}), ...more };
}

/** Every value that is no object or list, by its path. */
function leaves(value, path = "", found = {}) {
  if (value === null || value === undefined) return found;
  if (typeof value !== "object") return Object.assign(found, { [path]: value });
  for (const [name, inner] of Object.entries(value)) leaves(inner, `${path}/${name}`, found);
  return found;
}

/** Arguments that are no object reach a client of Anthropic's under that name, whole; none are none. */
const isText = (args) => typeof args === "string" && args !== "";
const asInput = (args) => (isText(args) ? { "/arguments": args } : args || {});

const ofType = (message, type) => message.content.filter((block) => block.type === type);
const textOf = (message) =>
  ofType(message, "text")
    .filter((block) => !block.text.startsWith("![image]("))
    .map((block) => block.text)
    .join("");

function check(message, expected) {
  const [choice] = expected.choices;
  const calls = ofType(message, "tool_use");
  assert.equal(textOf(message), choice.text + choice.refusal);
  assert.equal(
    ofType(message, "thinking")
      .map((block) => block.thinking)
      .join(""),
    choice.reasoning,
  );
  assert.deepEqual(
    calls.map((call) => ({ name: call.name, arguments: leaves(call.input) })),
    choice.calls.map((call) => ({ name: call.name, arguments: asInput(call.arguments) })),
  );
  assert.ok(stops[choice.finish_reason].includes(message.stop_reason), message.stop_reason);
  const ids = calls.map((call) => call.id);
  assert.ok(ids.every(Boolean) && new Set(ids).size === ids.length, `ids: ${ids}`);
  if (expected.usage) assert.deepEqual(seenUsage(message.usage), expected.usage);
}

function seenUsage(usage) {
  const read = usage.cache_read_input_tokens ?? 0;
  return {
    input: usage.input_tokens + read + (usage.cache_creation_input_tokens ?? 0),
    output: usage.output_tokens,
    cached: read,
    reasoning: usage.output_tokens_details?.thinking_tokens ?? 0,
  };
}

for (const one of cases("whole")) {
  test(`message: ${one.id}`, async () => check(await client.messages.create(asked(one)), one.expected));
}

for (const one of cases("stream")) {
  const isBroken = one.expected.choices.some((choice) => choice.calls.some((call) => isText(call.arguments)));
  // Through the SDK's own accumulator. What is no JSON it reads as far as it can.
  // Two answers' beginnings in one stream, which this SDK refuses of Anthropic itself too.
  const refuses = one.protocol === "anthropic-messages" && one.sent.repeats_start;
  test(`stream: ${one.id}`, { skip: isBroken || refuses }, async () => {
    check(await client.messages.stream(asked(one)).finalMessage(), one.expected);
  });
}

for (const one of cases("error")) {
  test(`error: ${one.id}`, async () => {
    const failure = await client.messages.create(asked(one, { stream: one.stream })).then(
      () => assert.fail("an answer instead of an error"),
      (error) => error,
    );
    assert.ok(failure instanceof sdk.APIError, `${failure.constructor.name}: ${failure.message}`);
    const narrower = { 429: [429, 402], 502: [502, 504, 529] };
    assert.ok((narrower[one.error.status] ?? [one.error.status]).includes(failure.status), `${failure.status}`);
    if (failure.status !== 402) assert.ok(failure instanceof sdk[one.error.class], failure.constructor.name);
    assert.ok(failure.error.error.message.includes(one.error.message), failure.message);
  });
}

for (const one of cases("broken")) {
  test(`broken: ${one.id}`, async () => {
    let text = "";
    const read = async () => {
      for await (const event of await client.messages.create(asked(one, { stream: true }))) {
        assert.ok(!["message_delta", "message_stop"].includes(event.type));
        if (event.type === "content_block_delta" && event.delta.type === "text_delta") text += event.delta.text;
      }
    };
    await assert.rejects(read, (error) => error instanceof sdk.APIError);
    assert.equal(text, one.text);
  });
}

for (const one of cases("vision")) {
  // What reaches the provider is compared by tests/sdk.rs, which sees its requests.
  test(`vision: ${one.id}`, async () => {
    const image = { type: "image", source: { type: "base64", media_type: "image/png", data: pixel } };
    const content = [{ type: "text", text: "What is this?" }, image];
    const answer = await client.messages.create(asked(one, { messages: [{ role: "user", content }] }));
    check(answer, one.expected);
  });
}

for (const one of cases("tool_loop")) {
  test(`tool loop: ${one.id}`, async () => {
    const question = { role: "user", content: "What is the weather?" };
    const first = await client.messages.create(asked(one, { messages: [question], tools }));
    assert.equal(first.stop_reason, "tool_use");
    const results = ofType(first, "tool_use").map((call) => ({
      type: "tool_result",
      tool_use_id: call.id,
      content: `result of ${call.name}`,
    }));
    const answered = { role: "assistant", content: first.content };
    const messages = [question, answered, { role: "user", content: results }];
    const second = await client.messages.create({ model: one.second_model, max_tokens: 1000, messages, tools });
    assert.equal(textOf(second), one.second_text);
  });
}

const hello = { model: plan.route, max_tokens: 10, messages: [{ role: "user", content: "Hello" }] };

test("a wrong key is refused", async () => {
  const stranger = new Anthropic({ baseURL, apiKey: "sb-wrong", maxRetries: 0 });
  await assert.rejects(stranger.messages.create(hello), sdk.AuthenticationError);
});

test("an unknown model is not found", async () => {
  await assert.rejects(client.messages.create({ ...hello, model: "nobody/nothing" }), sdk.NotFoundError);
});

test("a bad request names its field", async () => {
  const wrong = { ...hello, messages: [{ role: "nobody", content: "Hello" }] };
  await assert.rejects(
    client.messages.create(wrong),
    (error) => error instanceof sdk.BadRequestError && error.message.includes("messages[0].role"),
  );
});

test("a thread is refused in the words that the SDK goes on from", async () => {
  await assert.rejects(
    client.messages.create({ ...hello, thread: { type: "create" } }),
    (error) => error.errorCode === "thread_unsupported_request" && error.details.unsupported[0] === "thread",
  );
});

const rehearsed = (model, more = {}) => ({ ...hello, model: `rehearsal/${model}`, max_tokens: 1000, ...more });

test("the rehearsal answers whole and streamed", async () => {
  const whole = await client.messages.create(rehearsed("fast"));
  const streamed = await client.messages.stream(rehearsed("fast")).finalMessage();
  assert.ok(textOf(whole));
  assert.equal(textOf(streamed), textOf(whole));
  assert.equal(streamed.stop_reason, "end_turn");
});

test("the rehearsal calls a tool", async () => {
  const [call] = ofType(await client.messages.create(rehearsed("drill-tool", { tools })), "tool_use");
  assert.equal(call.name, "get_weather");
  assert.ok("city" in call.input);
});

test("the rehearsal's failures raise", async () => {
  await assert.rejects(client.messages.create(rehearsed("drill-429")), (error) => {
    assert.equal(error.headers.get("retry-after"), "2");
    return error instanceof sdk.RateLimitError;
  });
  for (const drill of ["503", "500-html"]) {
    await assert.rejects(client.messages.create(rehearsed(`drill-${drill}`)), sdk.InternalServerError);
  }
  await assert.rejects(client.messages.stream(rehearsed("drill-cut")).finalMessage(), sdk.APIError);
});
