export type SnippetKind = "python" | "node" | "curl";

/** What stands where a client key belongs. */
export const KEY_PLACEHOLDER = "YOUR_CLIENT_KEY";

/** A ready-made call of the port, to paste into a file or a shell. */
export function snippet(kind: SnippetKind, address: string, model: string): { lang: string; code: string } {
  const base = `http://${address}/v1`;
  switch (kind) {
    case "python":
      return {
        lang: "python",
        code: `from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(base)}, api_key="${KEY_PLACEHOLDER}")

stream = client.chat.completions.create(
    model=${JSON.stringify(model)},
    messages=[{"role": "user", "content": "Hello"}],
    stream=True,
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
`,
      };
    case "node":
      return {
        lang: "javascript",
        code: `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(base)}, apiKey: "${KEY_PLACEHOLDER}" });

const stream = await client.chat.completions.create({
  model: ${JSON.stringify(model)},
  messages: [{ role: "user", content: "Hello" }],
  stream: true,
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}
`,
      };
    case "curl":
      return {
        lang: "bash",
        code: `curl ${base}/chat/completions \\
  -H "Authorization: Bearer ${KEY_PLACEHOLDER}" \\
  -H "Content-Type: application/json" \\
  -d ${shellQuote(JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] }))}
`,
      };
  }
}

const shellQuote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The address with the next port number, for when the one asked for is taken. */
export function nextAddress(address: string): string | null {
  const match = /^(.*):(\d+)$/.exec(address.trim());
  if (!match) return null;
  const port = Number(match[2]);
  return port >= 1024 && port < 65_535 ? `${match[1]}:${port + 1}` : `${match[1]}:8791`;
}
