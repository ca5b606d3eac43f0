import { type FormEvent, useState } from "react";
import { backend } from "../../api";
import { ControlError } from "../../api/backend";
import { queryClient, refresh } from "../../api/queries";
import { Confirm } from "../../components/Confirm";
import { Modal } from "../../components/Modal";
import { go, parsePlace } from "../../lib/router";

interface ChatDialogProps {
  chatId: string;
  title: string;
  onClose(): void;
}

export function RenameChat({ chatId, title, onClose }: ChatDialogProps) {
  const [text, setText] = useState(title);
  const [error, setError] = useState<string | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await backend().call("chats.rename", { id: chatId, title: text.trim() });
      await refresh("chats.list", "chats.get");
      onClose();
    } catch (failure) {
      setError(ControlError.from(failure).message);
    }
  };
  return (
    <Modal title="Rename this chat" onClose={onClose}>
      <form className="form" onSubmit={(e) => void submit(e)}>
        <label className="form-row">
          <span className="label">Title</span>
          <input className="input" value={text} onChange={(e) => setText(e.target.value)} onFocus={(e) => e.target.select()} autoFocus maxLength={200} />
        </label>
        {error !== null && <p className="form-error" role="alert">{error}</p>}
        <div className="form-foot">
          <button type="button" className="btn" onClick={onClose}>Cancel</button>
          <button type="submit" className="btn primary" disabled={text.trim() === ""}>Rename</button>
        </div>
      </form>
    </Modal>
  );
}

export function DeleteChat({ chatId, title, onClose }: ChatDialogProps) {
  return (
    <Confirm
      title={`Delete “${title}”?`}
      text="Its messages are removed. What it cost stays in the books."
      verb="Delete"
      onClose={onClose}
      onConfirm={async () => {
        await backend().call("chats.delete", { id: chatId });
        const place = parsePlace(window.location.hash);
        if (place.screen === "chat" && place.detail === chatId) go("chat");
        queryClient.removeQueries({ queryKey: ["chats.get", { id: chatId }] });
        await refresh("chats.list");
      }}
    />
  );
}
