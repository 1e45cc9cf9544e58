#!/usr/bin/env node
require('tsx/cjs');
const { main } = require('../src/cli/main.ts');

// Loaded when it runs: Temporal's core takes seconds that an operator's command does not need.
void main(process.argv.slice(2), (parts) => require('../src/cli/parts.ts').runParts(parts));
