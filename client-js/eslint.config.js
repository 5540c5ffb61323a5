import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "node_modules/"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ["src/**/*.ts", "test/**/*.ts", "console/**/*.ts"] })),
  {
    files: ["src/**/*.ts", "test/**/*.ts", "console/**/*.ts"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    files: ["test/**/*.ts"],
    rules: {
      // node:test returns promises that the runner itself waits for.
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [{ from: "package", name: ["test", "describe", "it"], package: "node:test" }] }],
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
  {
    // The core knows no browser: time and the outside world are arguments.
    files: ["src/core/**/*.ts", "src/codes.ts", "src/transport/packet.ts", "src/transport/backoff.ts"],
    rules: {
      "no-restricted-globals": ["error", "window", "document", "navigator", "location", "localStorage", "sessionStorage", "setTimeout", "setInterval", "fetch", "WebSocket", "performance"],
    },
  },
  {
    files: ["scripts/**/*.mjs", "eslint.config.js"],
    languageOptions: { globals: { console: "readonly", process: "readonly", URL: "readonly", Buffer: "readonly" } },
  },
);
