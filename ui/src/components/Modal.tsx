import { Dialog } from "radix-ui";
import type { ReactNode } from "react";
import { Icon } from "./Icon";

interface ModalProps {
  title: string;
  /** One sentence under the title. */
  lead?: string;
  wide?: boolean;
  onClose(): void;
  children: ReactNode;
  testId?: string;
}

/** A dialog over the screen: closes with Esc, keeps the focus, gives it back. */
export function Modal({ title, lead, wide, onClose, children, testId }: ModalProps) {
  const described = lead === undefined ? { "aria-describedby": undefined } : {};
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="scrim" />
        <Dialog.Content className={wide ? "modal wide-modal" : "modal"} data-testid={testId} {...described}>
          <div className="modal-head">
            <Dialog.Title asChild>
              <h2>{title}</h2>
            </Dialog.Title>
            <Dialog.Close className="btn quiet icon small push" aria-label="Close">
              <Icon name="close" small />
            </Dialog.Close>
          </div>
          {lead !== undefined && <Dialog.Description className="modal-lead">{lead}</Dialog.Description>}
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
