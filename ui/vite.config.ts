/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  // The port is fixed because tauri.conf.json names it as the address in development.
  server: { port: 5173, strictPort: true },
  worker: { format: "es" },
  build: {
    // The oldest engines with `light-dark()`: anything older would need two sets of tokens.
    target: ["chrome123", "safari17.5"],
    outDir: "dist",
    // The CSP has no `data:` for fonts or scripts, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test/setup.ts"],
  },
});
