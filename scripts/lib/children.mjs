import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { say } from './settings.mjs';

/**
 * A child that cannot outlive us: a small shell holds the read end of a pipe whose write end only we have, and ends the child when it closes, even by
 * kill -9. Its own process group keeps Ctrl-C away from it until we stop it in order.
 */
export function startChild(command, args, { logFile, env, cwd, user, stopSignal = 'TERM', stdout = 'log', killAfterS = 10 } = {}) {
  const log = logFile ? openSync(logFile, 'a') : undefined;
  const as = user ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'] : [];
  const script = `
    "$@" </dev/null & child=$!
    trap 'kill -${stopSignal} $child 2>/dev/null' TERM
    ( while read -r _ <&3; do :; done; kill -${stopSignal} $child 2>/dev/null; i=0
      while kill -0 $child 2>/dev/null && [ $i -lt ${killAfterS * 10} ]; do sleep 0.1; i=$((i+1)); done; kill -9 $child 2>/dev/null ) >/dev/null 2>&1 &
    watcher=$!
    while :; do wait $child; code=$?; kill -0 $child 2>/dev/null || break; done
    kill $watcher 2>/dev/null; exit $code`;
  const child = spawn('sh', ['-c', script, 'sh', ...as, command, ...args], {
    cwd,
    env: env ?? process.env,
    detached: true,
    stdio: ['ignore', stdout === 'log' ? (log ?? 'ignore') : stdout, stdout === 'log' ? (log ?? 'ignore') : stdout === 'pipe' ? (log ?? 'inherit') : stdout, 'pipe'],
  });
  if (log !== undefined) closeSync(log);
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
    child.once('error', () => resolve(127));
  });
  const started = {
    pid: child.pid,
    stdout: child.stdout,
    exited,
    async stop() {
      child.stdio[3]?.destroy();
      return exited;
    },
  };
  running.add(started);
  void exited.then(() => running.delete(started));
  return started;
}

const running = new Set();
let closing = false;

/** The end of us: also of those that were not ready yet and so are in no stack. Nothing is started again. */
export async function stopChildren() {
  closing = true;
  await Promise.all([...running].map((child) => child.stop()));
}

/** The remembered port when it is free, else any other. */
export async function freePort(wanted) {
  const tryPort = (port) =>
    new Promise((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(undefined));
      server.listen(port, '127.0.0.1', () => {
        const { port: got } = server.address();
        server.close(() => resolve(got));
      });
    });
  return (await tryPort(wanted)) ?? (await tryPort(0));
}

export const isListening = (port, host = '127.0.0.1') =>
  new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 1_000 });
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });

export async function waitFor(check, { what, limitMs = 60_000, everyMs = 50, child } = {}) {
  let ended = false;
  void child?.exited.then(() => (ended = true));
  const until = Date.now() + limitMs;
  for (;;) {
    if (await check()) return;
    if (ended) throw new Error(`${what} ended before it was ready`);
    if (Date.now() > until) {
      await child?.stop();
      throw new Error(`${what} was not ready within ${limitMs / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

const restartsAllowed = 5;
const restartsWithinMs = 60_000;
/** What a killed server leaves behind (backends, locks) goes away by itself within a moment. */
const restAfterEndMs = 500;

/** A server that ends by itself (a crash, a kill) is launched again on the same data and ports; one that keeps ending is given up. */
export async function keepRunning(what, launch) {
  let child = await launch();
  let stopping = false;
  const watching = watch();

  return { gaveUp: watching.then((gaveUp) => (gaveUp ? 1 : new Promise(() => undefined))), stop };

  async function watch() {
    for (let ends = []; ; ) {
      await child?.exited;
      if (stopping || closing) return false;
      ends = [...ends.filter((at) => at > Date.now() - restartsWithinMs), Date.now()];
      if (ends.length > restartsAllowed) {
        say(`${what} ended ${ends.length} times within a minute and is given up: its log tells why.`);
        return true;
      }
      say(`${what} ended by itself; it is started again.`);
      await new Promise((resolve) => setTimeout(resolve, restAfterEndMs * ends.length));
      child = await launch().catch(() => undefined);
      if (stopping) {
        await child?.stop();
        return false;
      }
    }
  }

  async function stop() {
    stopping = true;
    await child?.stop();
    await watching;
  }
}

/** Stops in reverse order of starting. */
export function createStack() {
  const parts = [];
  let stopping;
  return {
    add(part) {
      parts.push(part);
      return part;
    },
    /** Resolves with an exit code when a part that was to run on is given up. */
    gaveUp: () => Promise.race(parts.flatMap((part) => part.gaveUp ?? [])),
    isStopping: () => stopping !== undefined,
    stop: () => (stopping ??= parts.reduceRight((before, part) => before.then(() => part.stop()).catch(() => undefined), Promise.resolve())),
  };
}
