import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { setBackend } from "../../api";
import { ControlError } from "../../api/backend";
import { queryClient } from "../../api/queries";
import { useUi } from "../../lib/store";
import { FakeBackend } from "../../test/fake-backend";
import { freeId, problemOf, ProviderForm } from "./ProviderForm";

const SECRET = "sk-test-0123456789abcdef";

async function form(core: FakeBackend) {
  setBackend(core);
  queryClient.clear();
  const onSaved = vi.fn();
  const onClose = vi.fn();
  render(
    <QueryClientProvider client={queryClient}>
      <ProviderForm provider={null} taken={["openai"]} keychain={{ state: "available", message: null }} onClose={onClose} onSaved={onSaved} />
    </QueryClientProvider>,
  );
  fireEvent.click(await screen.findByText("Openai"));
  const field = screen.getByTestId<HTMLInputElement>("provider-key");
  return { field, onSaved, onClose };
}

/** Everything that this window keeps: caches, stores, storage, and what is on the screen. */
function everythingKept(): string {
  const fields = [...document.querySelectorAll("input, textarea")].map((el) => (el as HTMLInputElement).value);
  return [JSON.stringify(queryClient.getQueryCache().getAll().map((q) => [q.queryKey, q.state])), JSON.stringify(queryClient.getMutationCache().getAll()), JSON.stringify(useUi.getState()), JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }), document.body.innerHTML, ...fields].join("\n");
}

describe("a pasted key", () => {
  it("goes to the core once and is kept nowhere", async () => {
    const core = new FakeBackend();
    const { field, onSaved } = await form(core);
    expect(field.type).toBe("password");
    fireEvent.change(field, { target: { value: `${SECRET}\n` } });
    fireEvent.click(screen.getByTestId("provider-save"));
    await waitFor(() => expect(onSaved).toHaveBeenCalledWith("openai-2"));
    expect(core.calls.find((c) => c.command === "providers.save")?.args).toMatchObject({ id: "openai-2", kind: "openai", key: "keychain", secret: SECRET });
    expect(everythingKept()).not.toContain(SECRET);
  });

  it("is not kept for a second try when the core refuses it", async () => {
    const core = new FakeBackend();
    core.handlers["providers.save"] = () => {
      throw new ControlError("keychain_locked", "The keychain is locked.");
    };
    const { field, onSaved } = await form(core);
    fireEvent.change(field, { target: { value: SECRET } });
    fireEvent.click(screen.getByTestId("provider-save"));
    expect((await screen.findByRole("alert")).textContent).toContain("The keychain is locked.");
    expect(onSaved).not.toHaveBeenCalled();
    expect(everythingKept()).not.toContain(SECRET);
  });
});

describe("the provider’s form", () => {
  const fine = { id: "work", taken: ["openai"], source: "env" as const, env: "WORK_KEY", secret: "", hasStored: false };
  it("finds what is wrong before the core is asked", () => {
    expect(problemOf(fine)).toBeNull();
    expect(problemOf({ ...fine, id: "a/b" })).toContain("letters");
    expect(problemOf({ ...fine, id: "openai" })).toContain("already");
    expect(problemOf({ ...fine, env: "sk-live-123" })).toContain("environment variable");
    expect(problemOf({ ...fine, source: "keychain" })).toContain("Paste the key");
    expect(problemOf({ ...fine, source: "keychain", hasStored: true })).toBeNull();
  });
  it("proposes a free name", () => expect(freeId("openai", ["openai", "openai-2"])).toBe("openai-3"));
});
