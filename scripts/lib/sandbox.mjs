import { join } from 'node:path';
import { freePort, startChild, waitFor } from './children.mjs';
import { root } from './settings.mjs';

/** The stand-ins under `dataDir`; answers their addresses and keys when they are ready. */
export async function startSandbox({ dataDir, port: wanted, args = [], env }, stack) {
  const port = await freePort(wanted);
  const all = ['-r', 'tsx/cjs', 'sandbox/main.ts', '--json', '--port', String(port), '--data-dir', join(dataDir, 'sandbox'), ...args];
  const child = stack.add(startChild(process.execPath, all, { cwd: root, env, stdout: 'pipe', logFile: join(dataDir, 'logs', 'sandbox.log') }));
  let text = '';
  child.stdout.on('data', (part) => (text += part));
  await waitFor(async () => text.includes('\n'), { what: 'The sandbox', child });
  return JSON.parse(text);
}
