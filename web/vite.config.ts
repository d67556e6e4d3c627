// Builds the meeting page into dist/, from where the server embeds it.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const absent = fileURLToPath(new URL("src/absent.ts", import.meta.url));

export default defineConfig({
  // The server answers /meet/<id> with the same page, so assets are named from the root.
  base: "/",
  // The SDK reads `global`, which browsers call globalThis.
  define: { global: "globalThis" },
  resolve: {
    // Only the SDK's chat client uses these, and the page has none: a third of its weight for nothing.
    alias: [
      { find: /^@aws-sdk\/.*/, replacement: absent },
      { find: /^@aws-crypto\/.*/, replacement: absent },
    ],
  },
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    // Nearly all of it is the SDK, needed at once: splitting would only add a round trip.
    chunkSizeWarningLimit: 1200,
  },
  server: {
    // `npm run dev` beside a running server: everything but the page itself is the server's.
    proxy: { "/join": { target: "https://127.0.0.1:8443", secure: false } },
  },
  test: {
    include: ["test/**/*.test.ts"],
    // The SDK is CommonJS; bundling it here gives tests the same imports as the page.
    server: { deps: { inline: ["amazon-chime-sdk-js"] } },
  },
});
