import { AlertDialog } from "radix-ui";
import { useState } from "react";
import { ControlError } from "../api/backend";

interface ConfirmProps {
  title: string;
  text: string;
  verb: string;
  onConfirm(): Promise<void>;
  onClose(): void;
}

/** Asks once before something that cannot be taken back. */
export function Confirm({ title, text, verb, onConfirm, onClose }: ConfirmProps) {
  const [error, setError] = useState<string | null>(null);
  const confirm = async () => {
    try {
      await onConfirm();
      onClose();
    } catch (failure) {
      setError(ControlError.from(failure).message);
    }
  };
  return (
    <AlertDialog.Root open onOpenChange={(open) => !open && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="scrim" />
        <AlertDialog.Content className="modal">
          <div className="modal-head">
            <AlertDialog.Title asChild><h2 className="cut">{title}</h2></AlertDialog.Title>
          </div>
          <AlertDialog.Description className="modal-lead">{text}</AlertDialog.Description>
          {error !== null && <p className="form-error pad" role="alert">{error}</p>}
          <div className="form-foot pad">
            <AlertDialog.Cancel className="btn">Cancel</AlertDialog.Cancel>
            <button type="button" className="btn primary" onClick={() => void confirm()}>{verb}</button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
