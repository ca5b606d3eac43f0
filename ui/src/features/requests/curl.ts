/** A request as a line for a shell: where it went and what it asked for, never with a key. */
import type { RequestView } from "../../api/bindings";

/** Read by the shell, so that no key is ever in the text. */
export const KEY_VARIABLE = "SIGNALBOX_KEY";

/** What stands for a prompt that is not kept. */
const YOUR_PROMPT = "Your prompt";

interface Shape {
  path: string;
  auth: string;
  body: object;
}

/** `prompt` is the question, where it is kept (the chat window's own); the port's are not. */
export function curlOf(request: RequestView, address: string, prompt: string | null): string {
  const { path, auth, body } = shapeOf(request, prompt ?? YOUR_PROMPT);
  return [
    `curl ${request.stream ? "-N " : ""}${quoted(`http://${address}${path}`)}`,
    `-H "${auth}: ${auth === "Authorization" ? "Bearer " : ""}$${KEY_VARIABLE}"`,
    `-H "Content-Type: application/json"`,
    `-d ${quoted(JSON.stringify(body))}`,
  ].join(" \\\n  ");
}

function shapeOf(request: RequestView, text: string): Shape {
  const model = request.request_model;
  const stream = request.stream ? { stream: true } : {};
  const messages = [{ role: "user", content: text }];
  if (request.operation === "embeddings" && request.dialect !== "gemini-generate") return { path: "/v1/embeddings", auth: "Authorization", body: { model, input: text } };
  switch (request.dialect) {
    case "anthropic-messages":
      return { path: "/v1/messages", auth: "x-api-key", body: { model, max_tokens: 1024, messages, ...stream } };
    case "openai-responses":
      return { path: "/v1/responses", auth: "Authorization", body: { model, input: text, ...stream } };
    case "gemini-generate":
      if (request.operation === "embeddings") return { path: `/v1beta/models/${model}:embedContent`, auth: "x-goog-api-key", body: { content: { parts: [{ text }] } } };
      return { path: `/v1beta/models/${model}:${request.stream ? "streamGenerateContent?alt=sse" : "generateContent"}`, auth: "x-goog-api-key", body: { contents: [{ role: "user", parts: [{ text }] }] } };
    default:
      return { path: "/v1/chat/completions", auth: "Authorization", body: { model, messages, ...stream } };
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
