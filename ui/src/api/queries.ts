/** Server state: one hook per read of the core, and the events that make each one old. */
import { QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useUi } from "../lib/store";
import { backend } from ".";
import { type AnyEvent, ControlError } from "./backend";
import type { Commands } from "./bindings";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchOnWindowFocus: true,
      // An unreachable core is asked again; a refusal is an answer.
      retry: (times, error) => times < 2 && error instanceof ControlError && error.kind === "unreachable",
      retryDelay: 500,
    },
  },
});

type Read = "app.status" | "providers.kinds" | "providers.list" | "models.list" | "clients.list" | "settings.get" | "routes.list" | "chats.list" | "chats.get" | "requests.get" | "requests.list" | "requests.totals" | "requests.switches" | "health.list" | "routing.view" | "spend.summary" | "tools.failures" | "providers.models";

export function useRead<K extends Read>(command: K, args: Commands[K]["args"], options: { enabled?: boolean; every?: number } = {}) {
  return useQuery<Commands[K]["result"], ControlError>({
    queryKey: [command, args],
    queryFn: () => backend().call(command, args),
    enabled: options.enabled ?? true,
    refetchInterval: options.every ?? false,
    placeholderData: (previous) => (command === "chats.get" || command === "requests.get" || command === "providers.models" ? undefined : previous),
  });
}

/** East of Greenwich is positive: where this window's days begin. */
export const utcOffsetMinutes = (): number => -new Date().getTimezoneOffset();

export const useStatus = () => useRead("app.status", { utc_offset_minutes: utcOffsetMinutes() }, { every: 15_000 });
export const useModels = () => useRead("models.list", {});
export const useProviders = () => useRead("providers.list", {});

/** What each event makes old. */
const STALE: Record<string, Read[]> = {
  request: ["app.status", "requests.list", "requests.get", "requests.switches", "health.list", "routing.view", "tools.failures", "spend.summary", "chats.list"],
  attempt: ["health.list", "routing.view", "app.status", "requests.list", "requests.get", "requests.switches"],
  config: ["app.status", "providers.list", "models.list", "settings.get", "routes.list"],
  providers: ["providers.list", "models.list", "app.status"],
  models: ["models.list", "providers.list"],
  clients: ["clients.list"],
  port: ["app.status", "settings.get"],
  keychain: ["app.status", "providers.list"],
  chats: ["chats.list", "chats.get"],
  chat: ["chats.list", "chats.get"],
};

const DEBOUNCE_MS = 200;

export function staleAfter(event: AnyEvent): Read[] {
  return STALE[String(event.name).split(/[._]/)[0] ?? ""] ?? [];
}

/** Hears the core's events for as long as the window is open, and re-reads what they touched. */
export function useEvents(): void {
  const client = useQueryClient();
  const setConnection = useUi((s) => s.setConnection);
  useEffect(() => {
    const stale = new Set<Read>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      timer = undefined;
      for (const read of stale) void client.invalidateQueries({ queryKey: [read] });
      stale.clear();
    };
    const stop = backend().listen({
      onEvent: (event) => {
        for (const read of staleAfter(event)) stale.add(read);
        if (stale.size > 0) timer ??= setTimeout(flush, DEBOUNCE_MS);
      },
      onConnected: () => {
        setConnection("on");
        void client.invalidateQueries();
      },
      onLost: (error) => setConnection({ lost: error.message }),
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, setConnection]);
}

export function refresh(...reads: Read[]): Promise<unknown> {
  return Promise.all(reads.map((read) => queryClient.invalidateQueries({ queryKey: [read] })));
}
