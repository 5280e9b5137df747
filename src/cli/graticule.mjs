#!/usr/bin/env node
// Plain JavaScript that any Node runs: it says which Node is needed before one that is too old meets TypeScript.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > 22 || (major === 22 && minor >= 18)) {
  await import('./main.ts');
} else {
  process.stderr.write(
    `Graticule needs Node.js 22.18 or newer, and this is ${process.version}: install a newer one from https://nodejs.org, or run \`npm start\` on Linux, where \`npm ci\` brings the right one along.\n`,
  );
  process.exitCode = 1;
}
