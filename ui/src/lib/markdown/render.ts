import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";

/** One settled piece of an answer, in the order of the text. */
export type Block =
  | { kind: "html"; html: string }
  /** A fence of the top level. It is a component of its own, for its head and its colours. */
  | { kind: "code"; lang: string; code: string };

const md = new MarkdownIt({ html: false, linkify: true, typographer: false, breaks: false });
md.linkify.set({ fuzzyLink: false, fuzzyEmail: false });

type Token = ReturnType<typeof md.parse>[number];

/** Link definitions seen so far; later text may use them. */
export type Env = NonNullable<Parameters<typeof md.parse>[1]>;

// A link leaves the window; the click is caught and given to the core or the browser.
md.renderer.rules["link_open"] = (tokens, i, options, _env, self) => {
  tokens[i]?.attrSet("target", "_blank");
  tokens[i]?.attrSet("rel", "noopener noreferrer nofollow");
  return self.renderToken(tokens, i, options);
};

// A remote image is a request to a stranger that the reader did not ask for, so it is shown
// as a link. Only pictures whose bytes are in the answer itself are shown at once.
md.renderer.rules["image"] = (tokens, i) => {
  const token = tokens[i];
  const src = String(token?.attrGet("src") ?? "");
  const alt = md.utils.escapeHtml(token?.content ?? "");
  if (/^data:image\/(png|jpeg|gif|webp);base64,/i.test(src)) return `<img src="${md.utils.escapeHtml(src)}" alt="${alt}">`;
  return `<a href="${md.utils.escapeHtml(src)}" target="_blank" rel="noopener noreferrer nofollow">image not loaded: ${alt || md.utils.escapeHtml(src)}</a>`;
};

// A fence inside a list or a quote keeps the look of one, without the component's colours.
md.renderer.rules["fence"] = (tokens, i) => codeHtml(tokens[i]?.content ?? "");
md.renderer.rules["code_block"] = (tokens, i) => codeHtml(tokens[i]?.content ?? "");

function codeHtml(code: string): string {
  return `<pre tabindex="0"><code class="b">${md.utils.escapeHtml(code)}</code></pre>\n`;
}

md.renderer.rules["table_open"] = () => '<div class="table-wrap" tabindex="0"><table>';
md.renderer.rules["table_close"] = () => "</table></div>";

const ALLOWED = {
  ALLOWED_TAGS: ["p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "a", "code", "pre", "ul", "ol", "li", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "img", "div"],
  ALLOWED_ATTR: ["href", "target", "rel", "title", "alt", "src", "class", "start", "style", "tabindex"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|data:image\/(?:png|jpeg|gif|webp);base64,|#)/i,
};

/** The second wall behind `html: false`. */
export const sanitize = (html: string): string => DOMPurify.sanitize(html, ALLOWED);

/** The blocks of a whole text. */
export function renderBlocks(text: string, env: Env = {}): Block[] {
  return blocksOf(md.parse(text, env), env).map((b) => b.block);
}

/** A block and the line that it starts at, counted from the start of the parsed text. */
export interface PlacedBlock {
  block: Block;
  line: number;
}

export function parseBlocks(text: string, env: Env): PlacedBlock[] {
  return blocksOf(md.parse(text, env), env);
}

function blocksOf(tokens: Token[], env: Env): PlacedBlock[] {
  const out: PlacedBlock[] = [];
  let start = 0;
  let depth = 0;
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i];
    if (!token) continue;
    depth += token.nesting;
    if (depth > 0) continue;
    const group = tokens.slice(start, i + 1);
    out.push({ line: group[0]?.map?.[0] ?? 0, block: blockOf(group, env) });
    start = i + 1;
  }
  return out;
}

function blockOf(group: Token[], env: Env): Block {
  const [first] = group;
  if (first?.type === "fence") return { kind: "code", lang: langOf(first.info), code: first.content };
  return { kind: "html", html: md.renderer.render(group, md.options, env) };
}

export const langOf = (info: string): string => (md.utils.unescapeAll(info).trim().split(/\s+/)[0] ?? "").toLowerCase();
