interface KeyLike {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  keyCode: number;
  nativeEvent?: { isComposing?: boolean };
  isComposing?: boolean;
}

/**
 * Whether this key press belongs to an input method that is still choosing characters.
 * WebKit reports the closing Enter with `isComposing` false but key code 229.
 */
export function isComposing(event: KeyLike): boolean {
  return Boolean(event.isComposing ?? event.nativeEvent?.isComposing) || event.keyCode === 229;
}

/** Enter sends; Shift+Enter is a new line; Enter that ends a composition is neither. */
export function isSendKey(event: KeyLike): boolean {
  return event.key === "Enter" && !event.shiftKey && !event.altKey && !isComposing(event);
}
