import { createStack, startChild } from './lib/children.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureMariadb } from './lib/mariadb.mjs';
import { runUntilEnded, stopOnSignal } from './lib/services.mjs';
import { loadEnvironment, root } from './lib/settings.mjs';

ensureDependencies();
const env = loadEnvironment();
if (!process.argv.includes('--help')) ensureMariadb(env);
const stack = createStack();
stopOnSignal(stack);
const sandbox = stack.add(startChild(process.execPath, ['-r', 'tsx/cjs', 'sandbox/main.ts', ...process.argv.slice(2)], { cwd: root, env, stdout: 'inherit' }));
await runUntilEnded(stack, sandbox.exited);
