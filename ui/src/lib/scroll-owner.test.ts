import { describe, expect, it } from "vitest";
import { ScrollOwner } from "./scroll-owner";

/** A log of a fixed height whose content grows; assignments are clamped as a browser does. */
class Log {
  private top = 0;
  constructor(public scrollHeight: number, public clientHeight: number) {}
  get scrollTop(): number {
    return this.top;
  }
  set scrollTop(value: number) {
    this.top = Math.max(0, Math.min(value, this.scrollHeight - this.clientHeight));
  }
  get atEnd(): boolean {
    return this.scrollTop === this.scrollHeight - this.clientHeight;
  }
}

function open(): { log: Log; owner: ScrollOwner; told: boolean[] } {
  const log = new Log(1000, 400);
  const told: boolean[] = [];
  const owner = new ScrollOwner((pinned) => told.push(pinned));
  owner.toEnd(log);
  return { log, owner, told };
}

describe("the owner of the scroll position", () => {
  it("follows the end while the reader is there", () => {
    const { log, owner } = open();
    for (let i = 0; i < 20; i += 1) {
      log.scrollHeight += 37;
      owner.resized(log);
      expect(log.atEnd).toBe(true);
    }
  });

  it("lets go when the reader moves up, and growth never takes hold again", () => {
    const { log, owner, told } = open();
    log.scrollTop = 300;
    owner.scrolled(log);
    expect(owner.isPinned).toBe(false);
    log.scrollHeight += 500;
    owner.resized(log);
    expect(log.scrollTop).toBe(300);
    expect(told).toEqual([false]);
  });

  it("lets go at the first turn of the wheel, before any delta can pull back", () => {
    const { log, owner } = open();
    owner.readerMovedUp(log);
    log.scrollHeight += 50;
    owner.resized(log);
    expect(log.scrollTop).toBe(600);
  });

  it("takes hold again when the reader comes back to the end", () => {
    const { log, owner } = open();
    log.scrollTop = 100;
    owner.scrolled(log);
    log.scrollTop = 590;
    owner.scrolled(log);
    expect(owner.isPinned).toBe(true);
    log.scrollHeight += 50;
    owner.resized(log);
    expect(log.atEnd).toBe(true);
  });

  it("is not fooled by its own jump or by a scroll event that comes late", () => {
    const { log, owner } = open();
    log.scrollHeight += 300;
    owner.resized(log);
    log.scrollHeight += 300;
    owner.scrolled(log);
    expect(owner.isPinned).toBe(true);
  });

  it("does not let go when the content shrinks", () => {
    const { log, owner } = open();
    log.scrollHeight = 700;
    log.scrollTop = log.scrollTop;
    log.scrollHeight = 760;
    owner.scrolled(log);
    expect(owner.isPinned).toBe(true);
  });

  it("goes to the end when asked", () => {
    const { log, owner, told } = open();
    log.scrollTop = 0;
    owner.scrolled(log);
    owner.toEnd(log);
    expect(log.atEnd).toBe(true);
    expect(told).toEqual([false, true]);
  });
});
