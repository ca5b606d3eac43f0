import { type RefObject } from "react";
import { testids } from "../../lib/testids";

/**
 * Where a key is pasted. The value lives in the field alone: no state, no cache, no draft; the
 * form reads it once and empties it.
 */
export function SecretField({ field, placeholder, label = "Key", autoFocus }: { field: RefObject<HTMLInputElement | null>; placeholder: string; label?: string; autoFocus?: boolean }) {
  return (
    <label className="form-row">
      <span className="label">{label}</span>
      <input ref={field} className="input" type="password" autoComplete="off" spellCheck={false} data-testid={testids.providerKey} placeholder={placeholder} autoFocus={autoFocus} />
    </label>
  );
}

/** Takes the key out of its field. A pasted line end is never part of a key. */
export function takeSecret(field: HTMLInputElement | null): string {
  const secret = (field?.value ?? "").replace(/[\r\n]/g, "").trim();
  if (field) field.value = "";
  return secret;
}
