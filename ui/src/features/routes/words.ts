/** A route's rules as a person would say them. `**` stands around what one looks for first. */
import type { ConditionView, RouteTargetView, RouteView } from "../../api/bindings";
import { count, moneySum } from "../../lib/format";
import { targetName } from "../../lib/words";

const UNITS: [string, number][] = [["h", 3_600_000], ["min", 60_000], ["s", 1_000]];

/** As one says it: `8 s`, `10 min`, `1.5 s`. */
function spanWords(ms: number): string {
  const [unit, size] = UNITS.find(([, size]) => ms % size === 0 && ms >= size) ?? ["s", 1_000];
  return `${Number((ms / size).toFixed(3))} ${unit}`;
}

const strong = (text: string): string => `**${text}**`;
const namesIn = (route: RouteView) => (t: RouteTargetView): string => strong(targetName(t, route.targets));

/** `a`, `a and b`, `a, b and c`. */
export function listed(items: readonly string[], word = "and"): string {
  return items.length < 2 ? (items[0] ?? "") : `${items.slice(0, -1).join(", ")} ${word} ${items.at(-1)}`;
}

const TASKS: Record<string, string> = { simple: "simple", standard: "ordinary", complex: "hard" };

/** What such a request is like, to stand behind `a request`: `over 400,000 tokens with tools`. */
export function conditionWords(c: ConditionView): string {
  const says: string[] = [];
  if (c.min_input_tokens !== null && c.max_input_tokens !== null) says.push(`of ${strong(`${count(c.min_input_tokens)} to ${count(c.max_input_tokens)} tokens`)}`);
  else if (c.min_input_tokens !== null) says.push(`of ${strong(`${count(c.min_input_tokens)} tokens or more`)}`);
  else if (c.max_input_tokens !== null) says.push(`of ${strong(`at most ${count(c.max_input_tokens)} tokens`)}`);
  if (c.tasks.length > 0) says.push(`for ${listed(c.tasks.map((t) => strong(TASKS[t] ?? t)), "or")} tasks`);
  const withs = ([["tools", c.tools], ["images", c.images], ["code", c.code]] as const).filter(([, wanted]) => wanted !== null);
  const has = withs.filter(([, wanted]) => wanted).map(([what]) => strong(what));
  const lacks = withs.filter(([, wanted]) => !wanted).map(([what]) => strong(what));
  if (has.length > 0) says.push(`with ${listed(has)}`);
  if (lacks.length > 0) says.push(`without ${listed(lacks, "or")}`);
  if (c.schema !== null) says.push(c.schema ? `that wants ${strong("an answer in a given form")}` : "that wants no given form");
  if (c.models.length > 0) says.push(`asked for as ${listed(c.models.map(strong), "or")}`);
  if (c.clients.length > 0) says.push(`from ${listed(c.clients.map(strong), "or")}`);
  if (c.tags.length > 0) says.push(`tagged ${listed(c.tags.map(strong), "or")}`);
  return says.join(" ");
}

const CAUSES: Record<string, string> = {
  context_too_long: "the request is too long for the others",
  content_filtered: "an answer was refused or filtered",
  quota: "credit or key gave out",
  rate_limited: "a limit was reached",
  failed: "a failure",
  slow: "the first token took too long",
  check: "an answer failed its check",
  broke: "an answer broke off",
};

/** The same as few words, for a column. */
const CAUSE_WORDS: Record<string, string> = { context_too_long: "too long", content_filtered: "refused or filtered", quota: "no credit", rate_limited: "limited", failed: "failed", slow: "slow", check: "failed a check", broke: "broken off" };

/** When a target is asked, for its row. */
export function takenWhen(route: RouteView, position: number): string {
  const target = route.targets[position];
  if (!target) return "";
  if (target.only_after.length > 0) return `after: ${target.only_after.map((c) => CAUSE_WORDS[c] ?? c).join(", ")}`;
  const rule = route.rules.find((r) => r.targets[0] === position);
  const words = target.when !== null ? `only ${conditionWords(target.when)}` : rule !== undefined ? conditionWords(rule.when) : "";
  if (words !== "") return words.replaceAll("**", "");
  if (route.strategy !== "priority") return "by the strategy";
  return position === mainOf(route)[0] ? "first" : "if those before it cannot";
}

/** Positions of the targets that any request may go to, in their order. */
function mainOf(route: RouteView): number[] {
  return route.targets.flatMap((t, i) => (t.only_after.length === 0 && t.when === null ? [i] : []));
}

function shares(targets: readonly RouteTargetView[], nameOf: (t: RouteTargetView) => string): string {
  const sum = targets.reduce((n, t) => n + t.weight, 0);
  return listed(targets.map((t) => `${nameOf(t)} (${sum === 0 ? 0 : Math.round((t.weight / sum) * 100)}%)`));
}

/** Where requests go that no rule sends elsewhere. */
function mainWords(route: RouteView, who: string): string[] {
  const nameOf = namesIn(route);
  const main = mainOf(route).flatMap((i) => route.targets[i] ?? []);
  const [first, ...rest] = main;
  if (!first) return [];
  if (rest.length === 0) return [`${who} goes to ${nameOf(first)}.`];
  const any = listed(main.map(nameOf), "or");
  switch (route.strategy) {
    case "weighted":
      return [`${who} goes by chance to ${shares(main, nameOf)}. If that one cannot, the others stand in.`];
    case "lowest-cost":
      return [`${who} goes to whichever is **cheapest** for it: ${any}. If that one cannot, the next cheapest stands in.`];
    case "lowest-latency":
      return [`${who} goes to whichever begins **fastest** at the time: ${any}. If that one cannot, the next stands in.`];
    case "least-busy":
      return [`${who} goes to whichever has the **fewest requests** under way: ${any}.`];
    case "remaining-quota":
      return [`${who} goes to ${any}, the more often the **more of its limits is left**.`];
    case "capability":
      return [`${who} goes to the first that **can do all that it asks**: ${any}.`];
    case "score":
      return [`${who} goes to the **best score** of speed, errors, cost and what is left of limits: ${any}.`];
    default:
      return [`${who} goes to ${nameOf(first)}. If that is limited, broken or slow, ${listed(rest.map(nameOf), "then")} ${rest.length === 1 ? "takes" : "take"} over.`];
  }
}

const BREAKS: Record<string, string> = {
  end: "An answer that breaks off in the middle **ends there**, marked as broken off.",
  restart: "If an answer breaks off in the middle, the next target **starts again** from its beginning.",
  continue: "If an answer breaks off in the middle, the next target **goes on from what was said**, and the chat says so.",
};

/** Paragraphs of sentences. */
export function routeWords(route: RouteView): string[] {
  const nameOf = namesIn(route);
  const paragraphs: string[] = [];
  const where: string[] = [];
  for (const rule of route.rules) {
    const who = `A request ${conditionWords(rule.when)}`.trim();
    const first = rule.targets.flatMap((i) => route.targets[i] ?? []);
    where.push(rule.tier !== null ? `${who} goes to the targets for ${strong(rule.tier)} tasks.` : `${who} goes to ${listed(first.map(nameOf), "then")} first.`);
  }
  if (route.tiers) where.push("The kind of task **chooses the tier**: the cheapest that does it.");
  where.push(...mainWords(route, where.length > 0 ? "Everything else" : "Every request"));
  for (const t of route.targets) {
    if (t.when !== null) where.push(`${nameOf(t)} is asked only for a request ${conditionWords(t.when)}.`);
    if (t.only_after.length > 0) where.push(`${nameOf(t)} is asked only after ${listed(t.only_after.map((c) => CAUSES[c] ?? c), "or")}.`);
  }
  paragraphs.push(where.join(" "));

  const slow: string[] = [];
  if (route.first_content_ms !== null) slow.push(`No first token within ${strong(spanWords(route.first_content_ms))} counts as slow.`);
  if (route.hedge !== null) slow.push(hedgeWords(route.hedge));
  if (route.total_ms !== null) slow.push(`After ${strong(spanWords(route.total_ms))} in all the client gets an error.`);
  if (slow.length > 0) paragraphs.push(slow.join(" "));

  const broken = [BREAKS[route.on_break] ?? ""];
  const held = [route.hold_chars > 0 ? `${count(route.hold_chars)} characters` : "", route.hold_ms === null ? "" : spanWords(route.hold_ms)].filter(Boolean);
  if (held.length > 0) broken.push(`The first ${listed(held, "or")} are held back, so that a failure within them stays unseen.`);
  paragraphs.push(broken.filter(Boolean).join(" "));

  if (route.sticky_ms !== null) paragraphs.push(`A conversation **stays with its target** until it has rested for ${spanWords(route.sticky_ms)}.`);
  for (const b of route.budgets) {
    const above = `Above ${strong(moneySum(b.amount_picousd))} in ${b.per === "hour" ? "an" : "a"} ${b.per}`;
    paragraphs.push(b.then === "downgrade" ? `${above}, new requests use ${strong(b.then_route ?? "")}.` : b.then === "block" ? `${above}, new requests are **refused**.` : `${above}, only a warning is given.`);
  }
  return paragraphs;
}

function hedgeWords(hedge: NonNullable<RouteView["hedge"]>): string {
  const after = hedge.is_p95 ? "is slower than 95 of 100 answers" : hedge.after_ms !== null ? `has said nothing for ${strong(spanWords(hedge.after_ms))}` : `has used ${strong(`${Math.round((hedge.share ?? 0) * 100)}%`)} of its time to the first token`;
  return `Where the first one ${after}, a second is asked beside it, and the faster one answers.`;
}

/** A text with `**` as its parts. */
export function partsOf(text: string): { text: string; isStrong: boolean }[] {
  return text.split("**").map((text, i) => ({ text, isStrong: i % 2 === 1 })).filter((p) => p.text !== "");
}
