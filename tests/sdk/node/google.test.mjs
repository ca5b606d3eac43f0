// Google's official SDK for Node against signalboxd, whose providers replay recorded answers.
//
// The cases are those of openai.test.mjs: what a plain reading of each record says, in OpenAI's words
// for why an answer stopped.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { ApiError, GoogleGenAI } from "@google/genai";

const plan = JSON.parse(readFileSync(process.env.SIGNALBOX_SDK_CASES, "utf8"));
const httpOptions = { baseUrl: plan.base_url.replace(/\/v1$/, ""), timeout: 60_000 };
const { models } = new GoogleGenAI({ apiKey: plan.api_key, httpOptions });
const parametersJsonSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const declaration = { name: "get_weather", description: "The weather in a city.", parametersJsonSchema };
// A tiny valid PNG.
const pixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
// OpenAI's words for why an answer stopped, and what Google says for each.
const stops = {
  stop: ["STOP", "OTHER"],
  length: ["MAX_TOKENS"],
  tool_calls: ["STOP", "OTHER"],
  content_filter: ["SAFETY", "RECITATION", "MODEL_ARMOR"],
};

const cases = (kind) => plan.cases.filter((one) => one.kind === kind);

/** The request: thoughts are wanted, tools declared where the recorded answer calls some. */
function question(one, contents = "Hello") {
  const calls = one.kind === "tool_loop" || one.expected?.choices.some((choice) => choice.calls.length > 0);
  const tools = calls ? { tools: [{ functionDeclarations: [declaration] }] } : {};
  return { model: one.model, contents, config: { thinkingConfig: { includeThoughts: true }, ...tools } };
}

/** Every value that is no object or list, by its path. */
function leaves(value, path = "", found = {}) {
  if (value === null || value === undefined) return found;
  if (typeof value !== "object") return Object.assign(found, { [path]: value });
  for (const [name, inner] of Object.entries(value)) leaves(inner, `${path}/${name}`, found);
  return found;
}

/** Arguments that are no object reach a client of Google's under that name, whole. */
function asArgs(text) {
  if (typeof text !== "string") return text;
  return text.trim() ? { "/arguments": text } : {};
}

/** A call begins with its name; what has none goes on with the arguments of the last. */
function takeCall(calls, call) {
  if (call.name) calls.push({ name: call.name, id: call.id, arguments: leaves(call.args) });
  const { arguments: said } = calls.at(-1);
  for (const piece of call.partialArgs ?? []) {
    const place = piece.jsonPath.replace(/^\$/, "").replace(/[.[]/g, "/").replaceAll("]", "");
    const value = piece.numberValue ?? piece.boolValue;
    if (piece.stringValue !== undefined) said[place] = (said[place] ?? "") + piece.stringValue;
    else if (value !== undefined) said[place] = value;
  }
}

/** Without answers whose recorded client asked for numbers instead of names, as no SDK of these does. */
const readable = (kind) => cases(kind).filter((one) => !one.sent?.has_numbers);

const nothing = () => ({ text: "", thoughts: "", calls: [], finish: null });

function take(seen, candidate) {
  assert.equal(seen.finish, null, "a candidate goes on after its finish");
  for (const part of candidate.content?.parts ?? []) {
    if (part.functionCall) takeCall(seen.calls, part.functionCall);
    else if (part.thought) seen.thoughts += part.text ?? "";
    else seen.text += part.text ?? "";
  }
  seen.finish = candidate.finishReason ?? null;
}

async function check(chunks, one) {
  const { expected } = one;
  // Google's own bytes pass unchanged, and it gives few calls an id.
  const isVerbatim = one.protocol === "gemini-generate";
  const seen = {};
  let usage = null;
  for await (const chunk of chunks) {
    assert.ok(isVerbatim || (chunk.responseId && chunk.modelVersion));
    for (const candidate of chunk.candidates ?? []) take((seen[candidate.index ?? 0] ??= nothing()), candidate);
    // A later report adds to an earlier one.
    if (chunk.usageMetadata) usage = { ...usage, ...chunk.usageMetadata };
  }
  assert.equal(Object.keys(seen).length, expected.choices.length);
  expected.choices.forEach((choice, index) => {
    const { text, thoughts, calls, finish } = seen[index];
    assert.equal(text, choice.text + choice.refusal);
    assert.equal(thoughts, choice.reasoning);
    const shown = calls.map((call) => ({ name: call.name, arguments: call.arguments }));
    const wanted = choice.calls.map((call) => ({ name: call.name, arguments: asArgs(call.arguments) }));
    assert.deepEqual(shown, wanted);
    assert.ok(stops[choice.finish_reason].includes(finish), finish);
    const ids = calls.map((call) => call.id);
    assert.ok(isVerbatim || (ids.every(Boolean) && new Set(ids).size === ids.length), `ids: ${ids}`);
  });
  const counts = usage && {
    input: (usage.promptTokenCount ?? 0) + (usage.toolUsePromptTokenCount ?? 0),
    output: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
    cached: usage.cachedContentTokenCount ?? 0,
    reasoning: usage.thoughtsTokenCount ?? 0,
  };
  assert.deepEqual(counts, expected.usage);
}

for (const one of readable("whole")) {
  test(`generate: ${one.id}`, async () => check([await models.generateContent(question(one))], one));
}

for (const one of readable("stream")) {
  test(`stream: ${one.id}`, async () => check(await models.generateContentStream(question(one)), one));
}

for (const one of cases("error")) {
  test(`error: ${one.id}`, async () => {
    const ask = async () => {
      if (!one.stream) return models.generateContent(question(one));
      for await (const _ of await models.generateContentStream(question(one)));
    };
    const failure = await ask().then(
      () => assert.fail("an answer instead of an error"),
      (error) => error,
    );
    assert.ok(failure instanceof ApiError, `${failure.constructor.name}: ${failure.message}`);
    // Google has no 422.
    assert.equal(failure.status, one.error.status === 422 ? 400 : one.error.status);
    const { error } = JSON.parse(failure.message);
    assert.ok(error.message.includes(one.error.message), error.message);
  });
}

for (const one of cases("broken")) {
  test(`broken: ${one.id}`, async () => {
    const seen = nothing();
    const read = async () => {
      for await (const chunk of await models.generateContentStream(question(one))) {
        for (const candidate of chunk.candidates ?? []) take(seen, candidate);
      }
    };
    await assert.rejects(read, (error) => error instanceof ApiError);
    assert.equal(seen.text, one.text);
    assert.equal(seen.finish, null);
  });
}

for (const one of cases("vision")) {
  // What reaches the provider is compared by tests/sdk.rs, which sees its requests.
  test(`vision: ${one.id}`, async () => {
    const parts = [{ text: "What is this?" }, { inlineData: { mimeType: "image/png", data: pixel } }];
    const answer = await models.generateContent(question(one, [{ role: "user", parts }]));
    assert.equal(answer.text, one.expected.choices[0].text);
  });
}

for (const one of cases("tool_loop")) {
  test(`tool loop: ${one.id}`, async () => {
    const asked = { role: "user", parts: [{ text: "What is the weather?" }] };
    const first = await models.generateContent(question(one, [asked]));
    const results = first.functionCalls.map(({ id, name }) => ({
      functionResponse: { id, name, response: { result: `result of ${name}` } },
    }));
    const contents = [asked, first.candidates[0].content, { role: "user", parts: results }];
    const second = await models.generateContent({ ...question(one, contents), model: one.second_model });
    assert.equal(second.text, one.second_text);
  });
}

test("a wrong key is refused", async () => {
  const stranger = new GoogleGenAI({ apiKey: "sb-wrong", httpOptions });
  const asked = stranger.models.generateContent({ model: plan.route, contents: "Hello" });
  await assert.rejects(asked, (error) => error instanceof ApiError && error.status === 401);
});

test("an unknown model is not found", async () => {
  const asked = models.generateContent({ model: "nobody/nothing", contents: "Hello" });
  await assert.rejects(asked, (error) => error instanceof ApiError && error.status === 404);
});

test("a bad request names its field", async () => {
  const contents = [{ role: "nobody", parts: [{ text: "Hello" }] }];
  const asked = models.generateContent({ model: plan.route, contents });
  await assert.rejects(asked, (error) => error.status === 400 && error.message.includes("contents[0].role"));
});

test("the rehearsal answers whole and streamed", async () => {
  const asked = { model: "rehearsal/fast", contents: "Hello" };
  const whole = await models.generateContent(asked);
  let text = "";
  let finish = null;
  for await (const chunk of await models.generateContentStream(asked)) {
    text += chunk.text ?? "";
    finish = chunk.candidates?.[0]?.finishReason ?? finish;
  }
  assert.ok(text);
  assert.equal(text, whole.text);
  assert.equal(finish, "STOP");
});

test("the rehearsal calls a tool", async () => {
  const config = { tools: [{ functionDeclarations: [declaration] }] };
  const answer = await models.generateContent({ model: "rehearsal/drill-tool", contents: "Hello", config });
  assert.equal(answer.functionCalls[0].name, "get_weather");
  assert.ok("city" in answer.functionCalls[0].args);
});

test("the rehearsal's failures raise", async () => {
  for (const [drill, codes] of [["429", [429]], ["503", [502, 503]]]) {
    const asked = models.generateContent({ model: `rehearsal/drill-${drill}`, contents: "Hello" });
    await assert.rejects(asked, (error) => error instanceof ApiError && codes.includes(error.status));
  }
  const cut = async () => {
    const chunks = await models.generateContentStream({ model: "rehearsal/drill-cut", contents: "Hello" });
    for await (const _ of chunks);
  };
  await assert.rejects(cut, ApiError);
});
