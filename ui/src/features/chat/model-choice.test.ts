import { describe, expect, it } from "vitest";
import type { ModelView } from "../../api/bindings";
import { groupModels, modelFor } from "./model-choice";

function model(id: string, over: Partial<ModelView> = {}): ModelView {
  const [provider = "", name = ""] = id.split("/");
  return { id, provider, model: name, name, is_route: false, context_window: 1000, max_output_tokens: null, input_usd_per_mtok: "1", output_usd_per_mtok: "1", ...over };
}
const route = model("deep", { provider: null, is_route: true });
const rehearsal = [model("rehearsal/thinker"), model("rehearsal/steady"), model("rehearsal/drill-429")];

describe("the model of a new chat", () => {
  it("is the rehearsal’s steady one until there is another", () => expect(modelFor(rehearsal, [])?.id).toBe("rehearsal/steady"));
  it("is a provider’s model that can talk, once there is one", () => {
    expect(modelFor([model("groq/llama-guard-3"), model("groq/unpriced", { output_usd_per_mtok: null }), model("groq/llama-4"), ...rehearsal], [])?.id).toBe("groq/llama-4");
  });
  it("is a route, where there is one", () => expect(modelFor([model("groq/llama-4"), route, ...rehearsal], [])?.id).toBe("deep"));
  it("is what was chosen before, if that is still there", () => {
    expect(modelFor([route, ...rehearsal], [undefined, "gone/model", "rehearsal/thinker"])?.id).toBe("rehearsal/thinker");
  });
  it("is none where there are no models", () => expect(modelFor([], ["x"])).toBeNull());
});

it("the picker lists routes, then providers by name, then the rehearsal", () => {
  const groups = groupModels([...rehearsal, model("zai/glm"), model("groq/llama"), route], (id) => id.toUpperCase());
  expect(groups.map((g) => g.label)).toEqual(["Routes", "GROQ", "ZAI", "REHEARSAL", "Rehearsal, misbehaving"]);
});
