/** Prompts that make the rehearsal provider misbehave, each in one way that real ones do. */
export interface Drill {
  label: string;
  prompt: string;
}

export const DRILLS: Drill[] = [
  { label: "Breaks in mid-answer", prompt: "/drill cut" },
  { label: "Rate limit", prompt: "/drill 429" },
  { label: "Very slow start", prompt: "/drill slow" },
  { label: "Stalls", prompt: "/drill stall" },
  { label: "500 in HTML", prompt: "/drill 500-html" },
  { label: "Malformed chunk", prompt: "/drill malformed" },
  { label: "Empty answer", prompt: "/drill empty" },
  { label: "Refuses", prompt: "/drill safety" },
  { label: "Calls tools", prompt: "/drill tools" },
];

export const EXAMPLES: string[] = ["What happens when a provider breaks in the middle?", "Show me a short function in Rust", "Explain what this window can do, with a table"];
