import { render } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { Markdown } from "./Markdown";

/** What a model, or whoever wrote what it read, may try. */
const HOSTILE = [
  "<script>window.pwned = 1</script>",
  "<img src=x onerror=\"window.pwned = 1\">",
  "<iframe src=\"https://example.org\"></iframe>",
  "<svg onload=window.pwned=1>",
  "[click](javascript:window.pwned=1)",
  "[click](JaVaScRiPt:alert(1))",
  "[click](&#106;avascript:alert(1))",
  "[click](java\nscript:alert(1))",
  "[click](vbscript:msgbox)",
  "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
  "[click](file:///etc/passwd)",
  "<javascript:alert(1)>",
  "![track](https://example.org/pixel.png)",
  "![track](//example.org/pixel.png)",
  "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
  "![a][r]\n\n[r]: https://example.org/a.png",
  "```html\n<script>window.pwned = 1</script>\n```",
  "```\"onmouseover=alert(1)\nx\n```",
  "| a |\n|---|\n| <b onclick=alert(1)>x</b> |",
  "<style>body{display:none}</style>",
  "<form action=https://example.org><input name=q></form>",
  "- <script>1</script>\n  ```\n  <img src=x onerror=1>\n  ```",
];

describe("hostile Markdown", () => {
  for (const streaming of [false, true]) {
    it.each(HOSTILE)(`stays text ${streaming ? "while it streams" : "when it is whole"}: %s`, (text) => {
      const fetched = vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response());
      const { container } = render(<Markdown text={text} streaming={streaming} />);
      expect(container.querySelector("script, iframe, object, embed, form, input, style, svg[onload], link, meta, base")).toBeNull();
      for (const el of container.querySelectorAll("*")) {
        for (const { name, value } of el.attributes) {
          expect(name).not.toMatch(/^on/i);
          if (name === "href") expect(value).toMatch(/^(https?:|mailto:)/i);
          if (name === "src") expect(value).toMatch(/^data:image\/(png|jpeg|gif|webp);base64,/);
        }
      }
      expect("pwned" in window).toBe(false);
      expect(fetched).not.toHaveBeenCalled();
      fetched.mockRestore();
    });
  }

  it("shows a remote image as a link that says so", () => {
    const { container } = render(<Markdown text="![a chart](https://example.org/c.png)" streaming={false} />);
    expect(container.querySelector("img")).toBeNull();
    expect(container.querySelector("a")?.textContent).toBe("image not loaded: a chart");
  });

  it("shows a picture that is in the answer itself", () => {
    const { container } = render(<Markdown text="![dot](data:image/png;base64,iVBORw0KGgo=)" streaming={false} />);
    expect(container.querySelector("img")?.getAttribute("alt")).toBe("dot");
  });
});

describe("a growing answer", () => {
  it("keeps the elements of settled blocks", () => {
    const { container, rerender } = render(<Markdown text={"# One\n\nfirst\n\nsec"} streaming />);
    const heading = container.querySelector("h1");
    rerender(<Markdown text={"# One\n\nfirst\n\nsecond\n\n- a\n- b\n\nend"} streaming />);
    expect(container.querySelector("h1")).toBe(heading);
    rerender(<Markdown text={"# One\n\nfirst\n\nsecond\n\n- a\n- b\n\nend"} streaming={false} />);
    expect(container.querySelectorAll("li")).toHaveLength(2);
  });

  it("starts over when a snapshot says something else", () => {
    const { container, rerender } = render(<Markdown text="Hello wor" streaming />);
    rerender(<Markdown text="Good day" streaming />);
    expect(container.textContent?.trim()).toBe("Good day");
  });
});
