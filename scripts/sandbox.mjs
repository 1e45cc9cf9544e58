import { createStack, startChild } from './lib/children.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureMariadb } from './lib/mariadb.mjs';
import { runUntilStopped } from './lib/services.mjs';
import { loadEnvironment, root } from './lib/settings.mjs';

ensureDependencies();
const env = loadEnvironment();
if (!process.argv.includes('--help')) ensureMariadb(env);
const stack = createStack();
const sandbox = stack.add(startChild(process.execPath, ['-r', 'tsx/cjs', 'sandbox/main.ts', ...process.argv.slice(2)], { cwd: root, env, stdout: 'inherit' }));
await runUntilStopped(stack, sandbox.exited);
