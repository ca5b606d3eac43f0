import { useState } from "react";
import { backend } from "../../api";
import type { RequestView } from "../../api/bindings";
import { useStatus } from "../../api/queries";
import { copyText } from "../../components/CopyButton";
import { Icon } from "../../components/Icon";
import { curlOf, KEY_VARIABLE } from "./curl";

/** Copies the request as a line for a shell. The port keeps no prompts, so only the chat window's own is in it. */
export function CopyCurl({ request }: { request: RequestView }) {
  const { data: status } = useStatus();
  const [said, setSaid] = useState<string | null>(null);
  const copy = async () => {
    const address = status?.port.listening ?? status?.port.requested ?? "127.0.0.1:8790";
    const prompt = await promptOf(request);
    const ok = await copyText(curlOf(request, address, prompt));
    setSaid(ok ? (prompt === null ? "Copied; put your prompt in" : "Copied, with the last question") : "Not copied");
  };
  return (
    <button type="button" className="btn small" title={`A line for a shell. It reads the client key from $${KEY_VARIABLE}.`} onClick={() => void copy()}>
      <Icon name={said?.startsWith("Copied") ? "check" : "copy"} small />
      <span aria-live="polite">{said ?? "Copy as curl"}</span>
    </button>
  );
}

/** The question that the request answers, where this window asked it and the chat is still there. */
async function promptOf(request: RequestView): Promise<string | null> {
  if (request.chat_id === null || request.message_id === null) return null;
  try {
    const { messages } = await backend().call("chats.get", { id: request.chat_id });
    const parent = messages.find((m) => m.id === request.message_id)?.parent_id;
    return messages.find((m) => m.id === parent)?.text ?? null;
  } catch {
    return null;
  }
}
