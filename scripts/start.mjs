import { createStack, startChild } from './lib/children.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { runUntilEnded, startServices, stopOnSignal } from './lib/services.mjs';
import { dataDirOf, fail, loadEnvironment, root } from './lib/settings.mjs';

const help = `npm start
Starts the API and the worker. Settings come from the environment or .env (.env.example lists them); Postgres and Temporal are
embedded ones under DATA_DIR unless DATABASE_URL and TEMPORAL_ADDRESS name others. Ctrl-C stops everything.`;

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
const engine = stack.add(startChild(process.execPath, ['bin/email-engine.cjs', 'start'], { cwd: root, env: settings, stdout: 'inherit', killAfterS: 40 }));
await runUntilEnded(stack, engine.exited);
