import { describe, expect, it } from "vitest";
import type { RequestView } from "../../api/bindings";
import { curlOf } from "./curl";

const request = (over: Partial<RequestView>): RequestView => ({ request_model: "deep", dialect: "openai-chat", operation: "chat", stream: false, ...over }) as RequestView;
const line = (over: Partial<RequestView>, prompt: string | null = null) => curlOf(request(over), "127.0.0.1:8790", prompt);

describe("a request as curl", () => {
  it("speaks the client's own dialect, with the key left to the shell", () => {
    expect(line({ stream: true })).toBe(
      `curl -N 'http://127.0.0.1:8790/v1/chat/completions' \\\n  -H "Authorization: Bearer $SIGNALBOX_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d '{"model":"deep","messages":[{"role":"user","content":"Your prompt"}],"stream":true}'`,
    );
    expect(line({ dialect: "anthropic-messages" })).toContain(`/v1/messages' \\\n  -H "x-api-key: $SIGNALBOX_KEY"`);
    expect(line({ dialect: "openai-responses" })).toContain(`"input":"Your prompt"`);
    expect(line({ dialect: "gemini-generate", stream: true })).toContain("'http://127.0.0.1:8790/v1beta/models/deep:streamGenerateContent?alt=sse'");
    expect(line({ operation: "embeddings" })).toContain("/v1/embeddings");
    // The chat window has no dialect of its own.
    expect(line({ dialect: "chat" })).toContain("/v1/chat/completions");
  });

  it("quotes what the shell would read", () => {
    expect(line({}, `it's $HOME and "this" \`too\``)).toContain(`"content":"it'\\''s $HOME and \\"this\\" \`too\`"`);
  });
});
