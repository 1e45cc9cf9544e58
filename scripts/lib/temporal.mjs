import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, isListening, keepRunning, startChild, waitFor } from './children.mjs';
import { findTemporal } from './temporal-binary.mjs';

const searchAttributes = { SourceId: 'Keyword', BatchState: 'Keyword', Received: 'Int', Injected: 'Int' };

/** The dev server on a file that may be thrown away: open batches are queued again. Bound to loopback, since it has no authentication. */
export async function startTemporal(dataDir) {
  const binary = await findTemporal();
  for (let tries = 1; ; tries += 1) {
    const { port, uiPort } = await choosePorts(dataDir);
    try {
      const server = await keepRunning('Temporal', () => launch({ binary, dataDir, port, uiPort }));
      return { address: `127.0.0.1:${port}`, uiUrl: `http://127.0.0.1:${uiPort}`, ...server };
    } catch (error) {
      // Ports that were free a moment ago may be taken by now, and the server picks more of its own: another try finds others.
      if (tries === 3) throw error;
    }
  }
}

/** Servers of their own, for tests and benchmarks: two that start at once must not meet on the usual ports, and one take the other's for its own. */
export const takeAnyPorts = (dataDir) => writeFileSync(join(dataDir, 'temporal-ports'), '0 0');

async function choosePorts(dataDir) {
  const portFile = join(dataDir, 'temporal-ports');
  const [wanted, wantedUi] = existsSync(portFile) ? readFileSync(portFile, 'utf8').split(' ').map(Number) : [7233, 8233];
  const port = await freePort(wanted);
  const uiPort = await freePort(wantedUi);
  writeFileSync(portFile, `${port} ${uiPort}`);
  return { port, uiPort };
}

async function launch({ binary, dataDir, port, uiPort }) {
  const child = startChild(
    binary,
    [
      'server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort), '--ui-disable-news-fetch',
      '--db-filename', join(dataDir, 'temporal.db'), '--log-level', 'error',
      ...['journal_mode=WAL', 'synchronous=NORMAL', 'busy_timeout=5000'].flatMap((pragma) => ['--sqlite-pragma', pragma]),
      // Eager execution more than halves the time of a batch; fairness lets a small source pass a flooding one.
      ...['system.enableActivityEagerExecution=true', 'matching.enableFairness=true', 'frontend.enableExecuteMultiOperation=true'].flatMap((value) => ['--dynamic-config-value', value]),
      ...Object.entries(searchAttributes).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
    ],
    { logFile: join(dataDir, 'logs', 'temporal.log') },
  );
  const address = `127.0.0.1:${port}`;
  await waitFor(() => isListening(port), { what: 'Temporal', child });
  await waitFor(() => succeeds(binary, ['operator', 'cluster', 'health', '--address', address]), { what: 'Temporal', everyMs: 100, child });
  // A closed run stays readable for a month; a day is the default. Nothing waits for it.
  void succeeds(binary, ['operator', 'namespace', 'update', '--namespace', 'default', '--retention', '30d', '--address', address]);
  return child;
}

const succeeds = (binary, args) =>
  new Promise((resolve) => {
    const child = spawn(binary, args, { stdio: 'ignore' });
    child.once('exit', (code) => resolve(code === 0));
    child.once('error', () => resolve(false));
  });
