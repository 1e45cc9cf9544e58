import { spawn } from 'node:child_process';

/** From `npm start` to a 200 of /readyz, on data that a first start has made. */
async function startOnce(): Promise<number> {
  const port = 28_090;
  const started = performance.now();
  const child = spawn('npm', ['start', '--silent'], { env: { ...process.env, DATA_DIR: `${process.env['BENCH_DIR'] ?? ''}/start`, PORT: String(port), LOG_LEVEL: 'warn' }, stdio: 'ignore', detached: true });
  const ready = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  while (!(await ready().catch(() => false))) {
    if (child.exitCode !== null || performance.now() - started > 600_000) throw new Error('npm start did not get ready');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const seconds = (performance.now() - started) / 1000;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-(child.pid ?? 0), 'SIGTERM');
  await gone;
  // npm leaves before its child has stopped everything.
  while (await ready().then(() => true, () => false)) await new Promise((resolve) => setTimeout(resolve, 50));
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  return seconds;
}

async function main(): Promise<void> {
  const first = await startOnce();
  const later = [await startOnce(), await startOnce(), await startOnce()].toSorted((a, b) => a - b);
  const second = later[1] ?? 0;
  console.log(`  first start   ${first.toFixed(1)} s\n  second start  ${second.toFixed(1)} s   (${(second / first).toFixed(2)} of the first)`);
  console.log(`bench start: seconds=${second.toFixed(1)}`);
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
