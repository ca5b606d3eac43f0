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
  return { model: one.model, messages, ...(hasCalls ? { tools } : {}), ...one.asked, ...more };
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

/**
 * Providers of OpenAI's own family are heard in their own bytes: no field is added to them. Those whose
 * bytes this SDK is known to misread are not.
 */
const isVerbatim = (one) => one.is_verbatim;

/** Where providers of OpenAI's family write what a model thought. */
function thought(said) {
  const fields = [said.reasoning_content, said.reasoning, said.reasoning_text];
  return fields.find((field) => typeof field === "string" && field) ?? "";
}

/** Azure's filter leaves a choice without any message; calls had another form before tools. */
function seenChoice(message = {}, finishReason, reasoning = thought(message)) {
  const functions = (message.tool_calls ?? []).map((call) => call.function);
  if (message.function_call?.name) functions.push(message.function_call);
  return {
    text: message.content ?? "",
    refusal: message.refusal ?? "",
    reasoning,
    calls: functions.map((called) => ({ name: called.name, arguments: readArguments(called.arguments ?? "") })),
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

/**
 * Text, refusals and calls are the reading's in either lane. Why an answer ended and what it used are
 * in the provider's own words where its bytes are passed on, and so are its thoughts.
 */
function check(one, seen, usage) {
  const { choices } = one.expected;
  if (!isVerbatim(one)) {
    assert.deepEqual(seen, choices);
    assert.deepEqual(seenUsage(usage), one.expected.usage);
    return;
  }
  assert.deepEqual(seen.map((choice) => choice.finish_reason), one.sent.finish);
  const own = choices.map((choice, at) => ({
    ...choice,
    finish_reason: one.sent.finish[at],
    reasoning: seen[at].reasoning && choice.reasoning,
  }));
  assert.deepEqual(seen, own);
  const totals = usage ? { input: usage.prompt_tokens ?? null, output: usage.completion_tokens ?? null } : null;
  assert.deepEqual(totals, one.sent.usage);
}

/** Ids are there and differ, so that results can be sent back; a provider's own are its affair. */
function checkCalls(one, message) {
  const ids = (message?.tool_calls ?? []).map((call) => call.id);
  assert.ok(isVerbatim(one) || (ids.every(Boolean) && new Set(ids).size === ids.length), `ids: ${ids}`);
}

for (const one of cases("whole")) {
  test(`chat: ${one.id}`, async () => {
    const answer = await client.chat.completions.create(question(one));
    assert.ok(isVerbatim(one) || answer.object === "chat.completion");
    check(one, answer.choices.map((choice) => seenChoice(choice.message, choice.finish_reason)), answer.usage);
    answer.choices.forEach((choice) => checkCalls(one, choice.message));
  });
}

// What the SDK's own accumulator makes of some providers' own bytes; a client that talks to the provider
// itself sees the same. Every one of these streams is read whole in pieces below.
const givesUp = {
  // Made from one recorded answer of OpenRouter's for another project's tests; OpenRouter's bytes are
  // passed on for all that only they carry.
  "test_tools_streaming_variant_b": "no chunk has a finish reason",
  "openrouter simonw-llm/tests/cassettes/test_tools_streaming/test_tools_streaming_variant_d": "arguments are null",
};

const whyNot = (one) =>
  isVerbatim(one) && Object.entries(givesUp).find(([piece]) => one.id.includes(piece))?.[1];

async function accumulated(one) {
  const stream = client.chat.completions.stream(question(one, { stream_options: { include_usage: true } }));
  const reasoning = {};
  let usage = null;
  stream.on("chunk", (chunk) => {
    assert.ok(isVerbatim(one) || chunk.object === "chat.completion.chunk");
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      reasoning[choice.index] = (reasoning[choice.index] ?? "") + thought(choice.delta);
    }
  });
  const answer = await stream.finalChatCompletion();
  const seen = answer.choices.map((choice) =>
    seenChoice(choice.message, choice.finish_reason, reasoning[choice.index]),
  );
  check(one, seen, usage);
  answer.choices.forEach((choice) => checkCalls(one, choice.message));
}

/** A stream joined by hand. A call begins with a new index or id. */
async function inPieces(one) {
  const choices = {};
  const places = {};
  let usage = null;
  for await (const chunk of await client.chat.completions.create(
    question(one, { stream: true, stream_options: { include_usage: true } }),
  )) {
    usage = chunk.usage ?? usage;
    for (const { index, delta, finish_reason: reason } of chunk.choices) {
      const seen = (choices[index] ??= { text: "", refusal: "", reasoning: "", calls: [], finish_reason: null });
      seen.text += delta.content ?? "";
      seen.refusal += delta.refusal ?? "";
      seen.reasoning += thought(delta);
      seen.finish_reason = reason ?? seen.finish_reason;
      for (const call of delta.tool_calls ?? []) {
        const place = `${index} ${call.index}`;
        const begins = !places[place] || (call.index === undefined && call.function?.name);
        if (begins || (call.id && places[place].id && call.id !== places[place].id)) {
          seen.calls.push({ name: "", arguments: "" });
          places[place] = { id: call.id, call: seen.calls.at(-1) };
        }
        const target = places[place].call;
        target.name ||= call.function?.name ?? "";
        target.arguments += call.function?.arguments ?? "";
      }
    }
  }
  const seen = Object.values(choices);
  for (const choice of seen) {
    choice.calls = choice.calls.map((call) => ({ ...call, arguments: readArguments(call.arguments) }));
  }
  check(one, seen, usage);
}

for (const one of cases("stream")) {
  const reason = whyNot(one);
  // Through the SDK's own accumulator, which is strict about indices, roles and tool calls.
  if (!reason) test(`stream: ${one.id}`, () => accumulated(one));
  else test(`in pieces, for ${reason}: ${one.id}`, () => inPieces(one));
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
          assert.ok(isVerbatim(one) || choice.finish_reason === null);
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

const rehearse = (model, more = {}) => {
  const messages = [{ role: "user", content: "Hello" }];
  return client.chat.completions.create({ model: `rehearsal/${model}`, messages, ...more });
};

test("the rehearsal answers whole and streamed", async () => {
  const whole = await rehearse("fast");
  let text = "";
  let finish = null;
  for await (const chunk of await rehearse("fast", { stream: true })) {
    text += chunk.choices[0]?.delta.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
  }
  assert.ok(text);
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(finish, "stop");
});

test("the rehearsal calls a tool", async () => {
  const { choices } = await rehearse("drill-tool", { tools });
  assert.equal(choices[0].finish_reason, "tool_calls");
  assert.ok("city" in JSON.parse(choices[0].message.tool_calls[0].function.arguments));
});

test("the rehearsal's failures raise", async () => {
  await assert.rejects(rehearse("drill-429"), (error) => {
    assert.equal(error.headers.get("retry-after"), "2");
    return error instanceof sdk.RateLimitError;
  });
  for (const drill of ["503", "500-html"]) await assert.rejects(rehearse(`drill-${drill}`), sdk.InternalServerError);
  const cut = async () => {
    for await (const _ of await rehearse("drill-cut", { stream: true }));
  };
  await assert.rejects(cut, sdk.APIError);
});
