import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderBlocks } from "./render";
import { Splitter } from "./splitter";

/** Lines that like to run into one another. */
const LINES = [
  "", "", "", "text", "more *text*", "a | b", "--|--", "1 | 2", "- one", "- two", "  under", "    deep", "1. first", "2. second", "1) other",
  "> quote", "> - quoted list", "```", "```rust", "~~~", "~~~~ py", "````", "  ```", "    ```", "let x = 1;", "# head", "## head ##", "===", "---", "***", "\ttab",
  "[ref]: https://example.org", "see [ref]", "[ref]: /x 'title", "title'", "**bold", "bold** end", "`code", "`", "<div>", "<script>x</script>", "![i](https://x/y.png)", "\\", "a\\", "  ", "+", "-", "* ", "\u0000", "line  ", "https://example.org/a_b", ":", "[", "`` ` ``",
];

const document = fc.array(fc.oneof(fc.constantFrom(...LINES), fc.string({ maxLength: 12, unit: "binary" })), { maxLength: 24 }).map((lines) => lines.join("\n"));

function feed(text: string, cuts: number[]): Splitter {
  const splitter = new Splitter();
  const at = [...new Set(cuts.map((c) => c % (text.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const cut of [...at, text.length]) {
    splitter.push(text.slice(from, cut));
    splitter.draw();
    from = cut;
  }
  return splitter;
}

describe("the splitter", () => {
  it("ends with what one full render gives, however the text was cut", () => {
    fc.assert(
      fc.property(document, fc.array(fc.nat(), { maxLength: 30 }), (text, cuts) => {
        expect(feed(text, cuts).finish()).toEqual(renderBlocks(text));
      }),
      { numRuns: 3000 },
    );
  });

  it("gives the same when every character comes alone", () => {
    fc.assert(
      fc.property(document, (text) => {
        const splitter = new Splitter();
        for (const c of text) splitter.push(c);
        expect(splitter.finish()).toEqual(renderBlocks(text));
      }),
      { numRuns: 500 },
    );
  });

  it("never changes a settled block", () => {
    fc.assert(
      fc.property(document, (text) => {
        const splitter = new Splitter();
        let before: string[] = [];
        for (const c of text) {
          splitter.push(c);
          const now = splitter.draw().settled.map((b) => JSON.stringify(b));
          expect(now.slice(0, before.length)).toEqual(before);
          before = now;
        }
      }),
      { numRuns: 300 },
    );
  });

  it("shows an open fence as text, line by line", () => {
    const splitter = new Splitter();
    splitter.push("Here:\n\n```rust\nlet a = 1;\nlet b");
    expect(splitter.draw()).toMatchObject({ openFence: true, tail: [{ kind: "code", lang: "rust", code: "let a = 1;\nlet b" }] });
    splitter.push(" = 2;\n```\nAfter");
    const drawn = splitter.draw();
    expect(drawn.openFence).toBe(false);
    expect(drawn.settled.at(-1)).toEqual({ kind: "code", lang: "rust", code: "let a = 1;\nlet b = 2;\n" });
  });

  it("settles what came before while a long answer grows", () => {
    const splitter = new Splitter();
    for (let n = 0; n < 200; n += 1) splitter.push(`Paragraph ${n} of the answer.\n\n`);
    expect(splitter.draw().settled.length).toBeGreaterThanOrEqual(199);
    expect(splitter.draw().tail.length).toBeLessThanOrEqual(1);
  });
});
