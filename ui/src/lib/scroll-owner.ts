/** How far from the end still counts as reading the end, in pixels. */
const NEAR_END_PX = 32;

interface Metrics {
  scrollTop: number;
  scrollHeight: number;
  clientHeight: number;
}

/**
 * The one owner of a log's scroll position. It follows the end only while the reader is
 * there; it learns that from the reader's own scrolling, never from growth of the content.
 * It jumps and never glides, because a glide that the next delta interrupts is a shake.
 */
export class ScrollOwner {
  private pinned = true;
  private lastTop = 0;
  private lastHeight = 0;

  constructor(private readonly onPinned: (pinned: boolean) => void = () => {}) {}

  get isPinned(): boolean {
    return this.pinned;
  }

  /** A scroll event. Moving up lets go; arriving near the end takes hold again. */
  scrolled(el: Metrics): void {
    const distance = el.scrollHeight - el.scrollTop - el.clientHeight;
    const movedUp = el.scrollTop < this.lastTop - 1;
    // Content that shrank pulls the position up without the reader having done anything.
    const shrank = el.scrollHeight < this.lastHeight;
    this.lastTop = el.scrollTop;
    this.lastHeight = el.scrollHeight;
    if (distance <= NEAR_END_PX) this.setPinned(true);
    else if (movedUp && !shrank) this.setPinned(false);
  }

  /** The reader turned the wheel or pressed a key upwards: let go before the scroll event comes. */
  readerMovedUp(el: Metrics): void {
    if (el.scrollHeight > el.clientHeight) this.setPinned(false);
  }

  /** The content or the viewport changed size. Keeps the end in view when pinned. */
  resized(el: Metrics): void {
    if (this.pinned) this.jump(el);
    else this.lastHeight = el.scrollHeight;
  }

  toEnd(el: Metrics): void {
    this.setPinned(true);
    this.jump(el);
  }

  private jump(el: Metrics): void {
    el.scrollTop = Math.max(0, el.scrollHeight - el.clientHeight);
    this.lastTop = el.scrollTop;
    this.lastHeight = el.scrollHeight;
  }

  private setPinned(pinned: boolean): void {
    if (pinned === this.pinned) return;
    this.pinned = pinned;
    this.onPinned(pinned);
  }
}
