import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { HealthRow } from "../../api/bindings";
import { HealthTable } from "./HealthTable";
import { ToolFailures } from "./ToolFailures";

const call = vi.fn();
vi.mock("../../api", () => ({ backend: () => ({ call, listen: () => () => {} }) }));
afterEach(() => call.mockReset());

const row: HealthRow = {
  provider: "groq", model: "gpt-oss-120b", lamp: "ok", requests: 9, answered: 9, refused: 0, errors: 0, error_rate: 0, truncated: 0, checked: 7, check_failures: 3, check_repairs: 2, refusals: 1,
  ttft_ms: null, duration_ms: null, tokens_per_second: null, last_error: null, last_seen_at: null, sparkline: [], error_sparkline: [],
};

describe("wrong tool calls", () => {
  it("shows wrong of checked, and in the title what became of them", () => {
    render(<HealthTable rows={[row]} span="1 h" />);
    const cell = screen.getByTitle(/3 of 7 tool calls or structured answers wrong, 2 mended; 1 answer declined/);
    expect(cell.textContent).toBe("3/7");
  });

  it("shows a dash where nothing was checked", () => {
    render(<HealthTable rows={[{ ...row, checked: 0, check_failures: 0, check_repairs: 0 }]} span="1 h" />);
    expect(screen.queryByTitle(/structured answers wrong/)).toBeNull();
    expect(screen.getByTitle("1 answer declined")).toBeTruthy();
  });

  it("lists the last ones with what became of each, and is not there without any", async () => {
    const client = () => new QueryClient({ defaultOptions: { queries: { retry: false } } });
    call.mockResolvedValueOnce([{ request_id: "r", ordinal: 0, at: 0, provider: "groq", model: "m", tool: "ring", kind: "schema_mismatch", path: "/n", message: "`/n` is string where the schema wants integer.", remedy: "repaired", repairs: "to_number", arguments: '{"n":"1"}', schema: null }]);
    render(<QueryClientProvider client={client()}><ToolFailures minutes={60} /></QueryClientProvider>);
    expect(await screen.findByText("schema mismatch, mended")).toBeTruthy();
    expect(screen.getByText("ring")).toBeTruthy();
    expect(screen.getByTitle('{"n":"1"}')).toBeTruthy();
    call.mockResolvedValueOnce([]);
    const { container } = render(<QueryClientProvider client={client()}><ToolFailures minutes={60} /></QueryClientProvider>);
    await vi.waitFor(() => expect(call).toHaveBeenCalledTimes(2));
    expect(container.innerHTML).toBe("");
  });
});
