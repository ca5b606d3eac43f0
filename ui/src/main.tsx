import "./lib/app.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { connect } from "./api";
import { queryClient } from "./api/queries";
import { applyTheme, storedTheme } from "./lib/theme";
import { Shell } from "./screens/shell";

applyTheme(storedTheme());

const root = document.getElementById("root");
if (root) {
  await connect();
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <Shell />
      </QueryClientProvider>
    </StrictMode>,
  );
}
