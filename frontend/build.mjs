// Bundles src/ into OUT: files with hashed names, LICENSES.txt of what is bundled, and manifest.json: the digest of
// the sources, logical name -> file, all files of the folder.
// Called by hatch_build.py: node build.mjs OUT DIGEST
import { build } from "esbuild";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [out, digest] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  outdir: out,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  target: ["chrome123", "firefox121", "safari17.5"],
  tsconfigRaw: "{}", // tsconfig.json is for those who look at the sources
  legalComments: /** @type {const} */ ("none"), // LICENSES.txt has them whole
  logLevel: /** @type {const} */ ("warning"),
  metafile: /** @type {const} */ (true),
};

// theme.js runs before the page is painted, so it is a script of its own; the others are modules that share chunks
const first = ["src/theme.js"];
const then = ["src/taskops.js", "src/taskops.css"];
// the viewer of the REST API, ten times as large as all the rest, has a page of its own
const docs = ["src/docs.js", "src/docs.css"];
const results = [
  await build({ ...common, entryPoints: first, format: "iife" }),
  await build({ ...common, entryPoints: then, format: "esm", splitting: true }),
  await build({ ...common, entryPoints: docs, format: "esm" }),
];

/** Logical name -> file. @type {Record<string, string>} */
const files = {};
/** @type {Set<string>} */
const packages = new Set();
/** @type {Set<string>} */
const made = new Set();
for (const { metafile } of results) {
  for (const [path, output] of Object.entries(metafile.outputs)) {
    made.add(basename(path));
    // what is imported only when it is needed is an entry point to esbuild, but no page names it
    const entry = [...first, ...then, ...docs].find((one) => one === output.entryPoint);
    if (entry) files[basename(entry)] = basename(path);
    for (const input of Object.keys(output.inputs)) {
      // greedy: a package may bring packages of its own
      const found = input.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/);
      if (found && output.inputs[input].bytesInOutput > 0) packages.add(found[0]);
    }
  }
}

const licences = [];
for (const path of [...packages].sort()) {
  const folder = join(here, path);
  const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  // a notice too, and what a package that is bundled itself says of what is in it
  const texts = (await readdir(folder)).filter((entry) => /^(licen[cs]e|notice)|es-bundle\.js\.LICENSE/i.test(entry));
  if (!texts.some((entry) => /^licen[cs]e/i.test(entry))) throw new Error(`${name} comes without a licence text`);
  const parts = await Promise.all(texts.map((entry) => readFile(join(folder, entry), "utf8")));
  licences.push(`${name} ${version} (${license})\n\n${parts.map((part) => part.trim()).join("\n\n")}\n`);
}

await mkdir(out, { recursive: true });
await writeFile(join(out, "LICENSES.txt"), licences.join(`\n${"-".repeat(72)}\n\n`));
made.add("LICENSES.txt");
// in one go: a server may be about to read it
const manifest = join(out, "manifest.json");
await writeFile(`${manifest}.new`, `${JSON.stringify({ digest, files, contents: [...made].sort() }, null, 2)}\n`);
await rename(`${manifest}.new`, manifest);
made.add("manifest.json");
for (const entry of await readdir(out)) if (!made.has(entry)) await rm(join(out, entry), { recursive: true });
