import { createStack } from './lib/children.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { runUntilEnded, startServices, stopOnSignal } from './lib/services.mjs';
import { dataDirOf, fail, loadEnvironment } from './lib/settings.mjs';

const help = `npm run services [-- --json]
Starts the embedded Postgres and Temporal in the foreground and prints the settings that reach them. Data lives in DATA_DIR (default .data).
What DATABASE_URL or TEMPORAL_ADDRESS names already is not started. Ctrl-C stops them.`;

if (process.argv.includes('--help')) {
  console.log(help);
  process.exit(0);
}
ensureDependencies();
const stack = createStack();
stopOnSignal(stack);
const env = loadEnvironment();
const { env: settings } = await startServices(env, dataDirOf(env), stack).catch(async (error) => {
  if (stack.isStopping()) await new Promise(() => undefined); // Ctrl-C: what fails now fails for that
  await stack.stop();
  fail(error.message);
});
const shown = { DATABASE_URL: settings.DATABASE_URL, TEMPORAL_ADDRESS: settings.TEMPORAL_ADDRESS, TEMPORAL_UI_URL: settings.TEMPORAL_UI_URL };
console.log(process.argv.includes('--json') ? JSON.stringify(shown) : Object.entries(shown).map(([name, value]) => `${name}=${value}`).join('\n'));
await runUntilEnded(stack);
