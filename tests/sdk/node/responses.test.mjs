// OpenAI's Responses through the official SDK for Node, with recorded answers behind it.
//
// Answers of other families are checked against a plain reading of their records, as in openai.test.mjs,
// a third of them; those of Responses' own providers, which pass in their own bytes, all of them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import OpenAI, * as sdk from "openai";

const plan = JSON.parse(readFileSync(process.env.SIGNALBOX_SDK_CASES, "utf8"));
const client = new OpenAI({ baseURL: plan.base_url, apiKey: plan.api_key, maxRetries: 0, timeout: 60_000 });
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [
  { type: "function", name: "get_weather", description: "The weather in a city.", strict: false, parameters },
];
const ends = ["response.completed", "response.incomplete", "response.failed"];
const isOwn = (one) => one.protocol === "openai-responses";

const cases = (kind, step = 1) => plan.cases.filter((one) => one.kind === kind).filter((_, at) => at % step === 0);

function asked(one, more = {}) {
  const calls = one.expected?.choices.some((choice) => choice.calls.length > 0);
  return { model: one.model, input: "Hello", ...(calls ? { tools } : {}), ...more };
}

/** Every value that is no object or list, by its path. */
function leaves(value, path = "", found = {}) {
  if (value === null || value === undefined) return found;
  if (typeof value !== "object") return Object.assign(found, { [path]: value });
  for (const [name, inner] of Object.entries(value)) leaves(inner, `${path}/${name}`, found);
  return found;
}

/** Key order and spacing do not count; text that is no JSON stays text. */
function readArguments(text) {
  try {
    return leaves(JSON.parse(text));
  } catch {
    return text;
  }
}

/** Thoughts are told in pieces, split at blank lines. */
const letters = (text) => text.replace(/\s+/g, "");

function pieces(answer, kind, field) {
  const contents = answer.output.filter((item) => item.type === "message").flatMap((item) => item.content ?? []);
  return contents.map((piece) => (piece.type === kind ? piece[field] : "")).join("");
}

function check(one, answer) {
  const { choices, usage } = one.expected;
  const [choice] = choices;
  assert.equal(pieces(answer, "output_text", "text"), choice.text);
  assert.equal(pieces(answer, "refusal", "refusal"), choice.refusal);
  const calls = answer.output.filter((item) => ["function_call", "custom_tool_call"].includes(item.type));
  const seen = calls.map((item) => ({ name: item.name, arguments: readArguments(item.arguments ?? item.input) }));
  assert.deepEqual(seen, choice.calls);
  const ids = calls.map((item) => item.call_id);
  assert.ok(ids.every(Boolean) && new Set(ids).size === ids.length, `ids: ${ids}`);
  const reason = answer.incomplete_details?.reason;
  if (isOwn(one)) {
    assert.equal(reason ?? answer.status, choice.finish_reason);
  } else {
    const thoughts = answer.output.filter((item) => item.type === "reasoning").flatMap((item) => item.summary);
    assert.equal(letters(thoughts.map((piece) => piece.text).join("")), letters(choice.reasoning));
    const wanted = { length: "max_output_tokens", content_filter: "content_filter" }[choice.finish_reason];
    assert.ok(reason === wanted || (choice.refusal && !reason), `${reason}, not ${wanted}`);
    assert.equal(answer.status, reason ? "incomplete" : "completed");
  }
  if (!usage) return;
  assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [usage.input, usage.output]);
  if (isOwn(one)) return;
  assert.equal(answer.usage.input_tokens_details.cached_tokens, usage.cached);
  assert.equal(answer.usage.output_tokens_details.reasoning_tokens, usage.reasoning);
}

for (const one of [...cases("whole", 3), ...cases("responses_whole")]) {
  test(`response: ${one.id}`, async () => {
    const answer = await client.responses.create(asked(one));
    assert.equal(answer.output_text, one.expected.choices[0].text);
    check(one, answer);
  });
}

for (const one of [...cases("stream", 3), ...cases("responses_stream")]) {
  // Through the SDK's own accumulator; it refuses events of other providers that it does not know, and
  // where the last event holds no output (ChatGPT), the items stand before it.
  test(`stream: ${one.id}`, async () => {
    let text = "";
    let last = null;
    const items = [];
    const own = () => client.responses.create(asked(one, { stream: true }));
    const stream = isOwn(one) ? await own() : client.responses.stream(asked(one));
    for await (const event of stream) {
      if (event.type === "response.output_item.done") items.push(event.item);
      if (event.type === "response.output_text.delta") text += event.delta;
      last = event;
    }
    assert.ok(ends.includes(last.type), last.type);
    const { response } = last;
    if (isOwn(one) && response.output.length === 0) response.output = items;
    check(one, response);
    const whole = pieces(response, "output_text", "text");
    assert.ok(text === whole || (isOwn(one) && !text), "the deltas are not the text");
  });
}

for (const one of cases("error")) {
  test(`error: ${one.id}`, async () => {
    const failure = await client.responses.create(asked(one, { stream: one.stream })).then(
      () => assert.fail("an answer instead of an error"),
      (error) => error,
    );
    assert.ok(failure instanceof sdk[one.error.class], `${failure.constructor.name}: ${failure.message}`);
    assert.equal(failure.status, one.error.status);
    assert.ok(failure.message.includes(one.error.message), failure.message);
  });
}

for (const one of cases("broken")) {
  test(`broken: ${one.id}`, async () => {
    let text = "";
    let last = null;
    try {
      for await (const event of await client.responses.create(asked(one, { stream: true }))) {
        last = event.type;
        if (last === "response.output_text.delta") text += event.delta;
      }
    } catch (error) {
      assert.ok(error instanceof sdk.APIError, error.message);
      last = "error";
    }
    assert.ok(["error", "response.failed"].includes(last), last);
    assert.equal(text, one.text);
  });
}

for (const one of cases("tool_loop")) {
  // With everything that the first answer held before it, thoughts included.
  test(`tool loop: ${one.id}`, async () => {
    const question = { role: "user", content: "What is the weather?" };
    const first = await client.responses.create(asked(one, { input: [question], tools }));
    const calls = first.output.filter((item) => item.type === "function_call");
    assert.ok(calls.length > 0);
    const results = calls.map((item) => ({
      type: "function_call_output",
      call_id: item.call_id,
      output: `result of ${item.name}`,
    }));
    const input = [question, ...first.output, ...results];
    const second = await client.responses.create({ model: one.second_model, input, tools });
    assert.equal(second.output_text, one.second_text);
  });
}

for (const one of cases("thought_loop")) {
  // That its proof reaches the provider unchanged is seen by tests/sdk.rs.
  test(`thought loop: ${one.id}`, async () => {
    const question = { role: "user", content: "Think." };
    const include = ["reasoning.encrypted_content"];
    const first = await client.responses.create(asked(one, { input: [question], include }));
    const thoughts = first.output.filter((item) => item.type === "reasoning");
    assert.ok(thoughts.length > 0 && thoughts.every((item) => item.encrypted_content));
    const input = [question, ...first.output, { role: "user", content: "Go on." }];
    const second = await client.responses.create({ model: one.second_model, input });
    assert.equal(second.output_text, one.second_text);
  });
}

test("structured output is parsed", async () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string" }, people: { type: "integer" } },
    required: ["name", "people"],
    additionalProperties: false,
  };
  const format = { type: "json_schema", name: "city", strict: true, schema };
  const answer = await client.responses.parse({ model: "rehearsal/fast", input: "A city.", text: { format } });
  const city = JSON.parse(answer.output_text);
  assert.equal(typeof city.name, "string");
  assert.ok(Number.isInteger(city.people));
});

test("the rehearsal answers whole and streamed", async () => {
  const whole = await client.responses.create({ model: "rehearsal/fast", input: "Hello" });
  const streamed = await client.responses.stream({ model: "rehearsal/fast", input: "Hello" }).finalResponse();
  assert.equal(whole.status, "completed");
  assert.equal(streamed.status, "completed");
  assert.ok(whole.output_text);
  assert.equal(pieces(streamed, "output_text", "text"), whole.output_text);
});

test("the rehearsal calls a tool", async () => {
  const answer = await client.responses.create({ model: "rehearsal/drill-tool", input: "Hello", tools });
  const calls = answer.output.filter((item) => item.type === "function_call");
  assert.deepEqual(calls.map((call) => call.name), ["get_weather"]);
  assert.ok("city" in JSON.parse(calls[0].arguments));
});

test("the rehearsal's failures raise", async () => {
  const ask = (drill) => client.responses.create({ model: `rehearsal/drill-${drill}`, input: "Hello" });
  await assert.rejects(ask("429"), (error) => {
    assert.equal(error.headers.get("retry-after"), "2");
    return error instanceof sdk.RateLimitError;
  });
  await assert.rejects(ask("503"), sdk.InternalServerError);
});

test("a wrong key is refused", async () => {
  const stranger = new OpenAI({ baseURL: plan.base_url, apiKey: "sb-wrong", maxRetries: 0 });
  await assert.rejects(stranger.responses.create({ model: plan.route, input: "Hello" }), sdk.AuthenticationError);
});

test("an unknown model is not found", async () => {
  const wanted = client.responses.create({ model: "nobody/nothing", input: "Hello" });
  await assert.rejects(wanted, (error) => error instanceof sdk.NotFoundError && error.code === "model_not_found");
});
