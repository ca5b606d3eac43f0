// The official OpenAI SDK for Node against signalboxd, whose providers replay recorded answers.
//
// `SIGNALBOX_SDK_CASES` names a JSON file that tests/sdk.rs wrote: the port's address, a client
// key, and per case the model to ask for and what a plain reading of the record says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import OpenAI, * as sdk from "openai";

const plan = JSON.parse(readFileSync(process.env.SIGNALBOX_SDK_CASES, "utf8"));
const client = new OpenAI({ baseURL: plan.base_url, apiKey: plan.api_key, maxRetries: 0, timeout: 60_000 });
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "get_weather", description: "The weather in a city.", parameters } }];
// A tiny valid PNG.
const pixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const cases = (kind) => plan.cases.filter((one) => one.kind === kind);

/** The request: tools are declared where the recorded answer calls some. */
function question(one, more = {}) {
  const hasCalls = one.expected?.choices.some((choice) => choice.calls.length > 0);
  const messages = [{ role: "user", content: "Hello" }];
  return { model: one.model, messages, ...(hasCalls ? { tools } : {}), ...more };
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

function seenChoice(message, finishReason, reasoning = message.reasoning_content) {
  return {
    text: message.content ?? "",
    refusal: message.refusal ?? "",
    reasoning: reasoning ?? "",
    calls: (message.tool_calls ?? []).map((call) => ({
      name: call.function.name,
      arguments: readArguments(call.function.arguments),
    })),
    finish_reason: finishReason,
  };
}

const seenUsage = (usage) =>
  usage
    ? {
        input: usage.prompt_tokens,
        output: usage.completion_tokens,
        cached: usage.prompt_tokens_details.cached_tokens,
        reasoning: usage.completion_tokens_details.reasoning_tokens,
      }
    : null;

/** Ids are there and differ, so that results can be sent back. */
function checkCalls(message) {
  const ids = (message.tool_calls ?? []).map((call) => call.id);
  assert.ok(ids.every(Boolean) && new Set(ids).size === ids.length, `ids: ${ids}`);
}

for (const one of cases("whole")) {
  test(`chat: ${one.id}`, async () => {
    const answer = await client.chat.completions.create(question(one));
    assert.equal(answer.object, "chat.completion");
    const seen = answer.choices.map((choice) => seenChoice(choice.message, choice.finish_reason));
    assert.deepEqual(seen, one.expected.choices);
    assert.deepEqual(seenUsage(answer.usage), one.expected.usage);
    answer.choices.forEach((choice) => checkCalls(choice.message));
  });
}

for (const one of cases("stream")) {
  // Through the SDK's own accumulator, which is strict about indices, roles and tool calls.
  test(`stream: ${one.id}`, async () => {
    const stream = client.chat.completions.stream(question(one, { stream_options: { include_usage: true } }));
    const reasoning = {};
    let usage = null;
    stream.on("chunk", (chunk) => {
      assert.equal(chunk.object, "chat.completion.chunk");
      usage = chunk.usage ?? usage;
      for (const choice of chunk.choices) {
        reasoning[choice.index] = (reasoning[choice.index] ?? "") + (choice.delta.reasoning_content ?? "");
      }
    });
    const answer = await stream.finalChatCompletion();
    const seen = answer.choices.map((choice) =>
      seenChoice(choice.message, choice.finish_reason, reasoning[choice.index]),
    );
    assert.deepEqual(seen, one.expected.choices);
    assert.deepEqual(seenUsage(usage), one.expected.usage);
    answer.choices.forEach((choice) => checkCalls(choice.message));
  });
}

for (const one of cases("error")) {
  test(`error: ${one.id}`, async () => {
    const failure = await client.chat.completions.create(question(one, { stream: one.stream })).then(
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
    const read = async () => {
      for await (const chunk of await client.chat.completions.create(question(one, { stream: true }))) {
        for (const choice of chunk.choices) {
          assert.equal(choice.finish_reason, null);
          text += choice.delta.content ?? "";
        }
      }
    };
    await assert.rejects(read, (error) => error instanceof sdk.APIError);
    assert.equal(text, one.text);
  });
}

for (const one of cases("vision")) {
  // What reaches the provider is compared by tests/sdk.rs, which sees its requests.
  test(`vision: ${one.id}`, async () => {
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${pixel}` } };
    const content = [{ type: "text", text: "What is this?" }, image];
    const answer = await client.chat.completions.create(question(one, { messages: [{ role: "user", content }] }));
    assert.equal(answer.choices[0].message.content, one.expected.choices[0].text);
  });
}

for (const one of cases("tool_loop")) {
  test(`tool loop: ${one.id}`, async () => {
    const asked = { role: "user", content: "What is the weather?" };
    const first = await client.chat.completions.create({ model: one.model, messages: [asked], tools });
    const { message, finish_reason: reason } = first.choices[0];
    assert.equal(reason, "tool_calls");
    const results = message.tool_calls.map((call) => ({
      role: "tool",
      tool_call_id: call.id,
      content: `result of ${call.function.name}`,
    }));
    const messages = [asked, message, ...results];
    const second = await client.chat.completions.create({ model: one.second_model, messages, tools });
    assert.equal(second.choices[0].message.content, one.second_text);
  });
}

test("models are listed", async () => {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  assert.ok(listed.includes(plan.route), listed.join(", "));
});

test("a wrong key is refused", async () => {
  const stranger = new OpenAI({ baseURL: plan.base_url, apiKey: "sb-wrong", maxRetries: 0 });
  await assert.rejects(stranger.models.list(), sdk.AuthenticationError);
});

test("an unknown model is not found", async () => {
  const messages = [{ role: "user", content: "Hello" }];
  const asked = client.chat.completions.create({ model: "nobody/nothing", messages });
  await assert.rejects(asked, (error) => error instanceof sdk.NotFoundError && error.code === "model_not_found");
});

test("a bad request names its field", async () => {
  const messages = [{ role: "nobody", content: "Hello" }];
  const asked = client.chat.completions.create({ model: plan.route, messages });
  await assert.rejects(asked, (error) => error instanceof sdk.BadRequestError && error.param === "messages[0].role");
});
