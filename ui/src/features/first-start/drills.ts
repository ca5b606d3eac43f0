/** Prompts that make the rehearsal provider misbehave, each in one way that real ones do. */
export interface Drill {
  label: string;
  prompt: string;
}

export const DRILLS: Drill[] = [
  { label: "Breaks in mid-answer", prompt: "/drill cut" },
  { label: "Rate limit", prompt: "/drill 429" },
  { label: "Very slow start", prompt: "/drill slow-start" },
  { label: "Stalls", prompt: "/drill stall" },
  { label: "500 in HTML", prompt: "/drill 500-html" },
  { label: "Malformed chunk", prompt: "/drill malformed" },
  { label: "Error in the stream", prompt: "/drill error-in-stream" },
  { label: "Overloaded", prompt: "/drill 503" },
  { label: "Rejects the key", prompt: "/drill 401" },
  { label: "Empty answer", prompt: "/drill empty" },
  { label: "Refuses", prompt: "/drill safety" },
  { label: "Reaches its limit", prompt: "/drill length" },
  { label: "Very long answer", prompt: "/drill long" },
  { label: "Calls a tool", prompt: "/drill tool" },
  { label: "Two tools at once", prompt: "/drill parallel-tools" },
];

export const EXAMPLES: string[] = ["What happens when a provider breaks in the middle?", "Write a Rust function that counts words", "Compare a queue and a stack in a table"];
