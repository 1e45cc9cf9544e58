import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stopChildren } from './children.mjs';
import { startPostgres } from './postgres.mjs';
import { say } from './settings.mjs';
import { startTemporal } from './temporal.mjs';

/** Starts the embedded parts that the environment does not name, and answers the settings that reach all of them. */
export async function startServices(env, dataDir, stack) {
  const postgres = env.DATABASE_URL ? undefined : startPostgres(dataDir).then((part) => stack.add(part));
  const temporal = env.TEMPORAL_ADDRESS ? undefined : startTemporal(dataDir).then((part) => stack.add(part));
  const [database, server] = await Promise.all([postgres, temporal]);
  stack.add(leaveAddresses(dataDir, { ...(database && { DATABASE_URL: database.url }), ...(server && { TEMPORAL_ADDRESS: server.address, TEMPORAL_UI_URL: server.uiUrl }) }));
  return {
    database,
    server,
    env: {
      ...env,
      DATA_DIR: dataDir,
      DATABASE_URL: env.DATABASE_URL || database.url,
      TEMPORAL_ADDRESS: env.TEMPORAL_ADDRESS || server.address,
      ...(server && !env.TEMPORAL_UI_URL && { TEMPORAL_UI_URL: server.uiUrl }),
    },
  };
}

/** Commands of an operator (`email-engine keys …`) find what is served here; the address of the database holds its password. */
function leaveAddresses(dataDir, addresses) {
  const file = join(dataDir, 'services.json');
  writeFileSync(`${file}.new`, JSON.stringify(addresses), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return { stop: async () => rmSync(file, { force: true }) };
}

/** At any time the first Ctrl-C (or SIGTERM) stops everything in reverse order, and says so; those after it change nothing. */
export function stopOnSignal(stack, { first = () => undefined, last = () => undefined, code = 0 } = {}) {
  const stop = async () => {
    if (stack.isStopping()) return;
    say('\nStopping …');
    first();
    await stack.stop();
    await stopChildren();
    last();
    say('Stopped.');
    process.exit(code);
  };
  ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach((name) => process.on(name, () => void stop()));
}

/** Runs until `ended` does or a server is given up; stops everything in reverse order. Only a signal ends it otherwise. */
export async function runUntilEnded(stack, ended = new Promise(() => undefined)) {
  const code = await Promise.race([ended, stack.gaveUp()]);
  if (stack.isStopping()) return;
  await stack.stop();
  process.exit(code);
}
