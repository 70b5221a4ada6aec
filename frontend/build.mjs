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
  metafile: true,
  outdir: out,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  target: ["chrome123", "firefox121", "safari17.5"],
  legalComments: "none", // LICENSES.txt has them whole
  logLevel: "warning",
};

// theme.js runs before the page is painted, so it is a script of its own; the others are modules that share chunks
const first = ["src/theme.js"];
const then = ["src/taskops.js", "src/css/taskops.css"];
const results = [
  await build({ ...common, entryPoints: first, format: "iife" }),
  await build({ ...common, entryPoints: then, format: "esm", splitting: true }),
];

const files = {};
const packages = new Set();
const made = new Set();
for (const { metafile } of results) {
  for (const [path, output] of Object.entries(metafile.outputs)) {
    made.add(basename(path));
    // what is imported only when it is needed is an entry point to esbuild, but no page names it
    if ([...first, ...then].includes(output.entryPoint)) files[basename(output.entryPoint)] = basename(path);
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
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} comes without a licence text`);
  licences.push(`${name} ${version} (${license})\n\n${(await readFile(join(folder, file), "utf8")).trim()}\n`);
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
