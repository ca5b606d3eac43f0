// The whole window on a core that lives in memory, to look at screens without a backend.
// Open /dev/index.html?scene=full or ?scene=first under `npm run dev`. Not part of the build.
import "../src/lib/app.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { setBackend } from "../src/api";
import { queryClient } from "../src/api/queries";
import { applyTheme, storedTheme } from "../src/lib/theme";
import { Shell } from "../src/screens/shell";
import { FakeBackend } from "../src/test/fake-backend";

const scene = new URLSearchParams(window.location.search).get("scene") === "first" ? "first" : "full";
applyTheme(storedTheme());
setBackend(new FakeBackend(scene));
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <QueryClientProvider client={queryClient}>
      <Shell />
    </QueryClientProvider>,
  );
}
