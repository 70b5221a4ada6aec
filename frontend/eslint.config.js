import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import globals from "globals";

const INNER_HTML = "Text that came from somewhere is no markup: make elements, and set their textContent.";

export default defineConfig(
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      complexity: ["error", 10],
      curly: ["error", "multi-line"],
      "default-case-last": "error",
      eqeqeq: "error",
      "max-lines": ["error", 300],
      "max-params": ["error", 5],
      "no-console": "error",
      "no-duplicate-imports": "error",
      "no-else-return": "error",
      "no-implicit-coercion": "error",
      "no-lonely-if": "error",
      "no-promise-executor-return": "error",
      "no-self-compare": "error",
      "no-shadow": "error",
      "no-template-curly-in-string": "error",
      "no-unneeded-ternary": "error",
      "no-unreachable-loop": "error",
      "no-use-before-define": ["error", { functions: false, variables: false }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-arrow-callback": "error",
      "prefer-const": "error",
      "prefer-template": "error",
    },
  },
  {
    files: ["src/**"],
    languageOptions: { globals: globals.browser },
    rules: {
      // the pages' Content-Security-Policy refuses these
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: INNER_HTML },
        { property: "outerHTML", message: INNER_HTML },
        { property: "insertAdjacentHTML", message: INNER_HTML },
      ],
    },
  },
  {
    // a subject knows itself and what is shared; taskops.js alone knows them all
    files: ["src/*/**"],
    rules: { "no-restricted-imports": ["error", { patterns: [{ regex: "^\\.\\./(?!shared/)" }] }] },
  },
  {
    files: ["src/shared/**"],
    rules: { "no-restricted-imports": ["error", { patterns: [{ regex: "^\\.\\./" }] }] },
  },
  { files: ["src/theme.js"], languageOptions: { sourceType: "script" } },
  { files: ["build.mjs", "eslint.config.js", "tests/**"], languageOptions: { globals: globals.node } },
  { files: ["tests/**"], languageOptions: { globals: globals.browser } },
);
