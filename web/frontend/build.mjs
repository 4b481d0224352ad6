// Builds the two bundles and copies the font into web/static. The output is committed, so no Node is needed to run.
import { build } from "esbuild";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static");
const font = join(here, "node_modules", "@fontsource-variable", "atkinson-hyperlegible-next");
const common = { bundle: true, minify: true, charset: "utf8", target: "es2022", logLevel: "warning", absWorkingDir: here };

await build({ ...common, entryPoints: ["src/main.js"], format: "esm", legalComments: "external", outfile: join(out, "guide-chat.js") });
await build({ ...common, entryPoints: ["src/widget.js"], format: "iife", legalComments: "none", outfile: join(out, "widget.js") });
mkdirSync(join(out, "fonts"), { recursive: true });
copyFileSync(join(font, "files", "atkinson-hyperlegible-next-latin-wght-normal.woff2"), join(out, "fonts", "atkinson-hyperlegible-next.woff2"));
copyFileSync(join(font, "LICENSE"), join(out, "fonts", "OFL.txt"));

// the accessibility tests need no Node either
copyFileSync(join(here, "node_modules", "axe-core", "axe.min.js"), join(here, "..", "..", "tests", "browser", "axe.min.js"));

// A clinic's page must not become slow because of us.
let tooBig = false;
for (const [name, limit] of [["guide-chat.js", 30], ["widget.js", 3]]) {
  const size = gzipSync(readFileSync(join(out, name)), { level: 9 }).length;
  console.log(`${name}: ${(size / 1024).toFixed(1)} KB gzipped (at most ${limit})`);
  tooBig ||= size > limit * 1024;
}
process.exit(tooBig ? 1 : 0);
