import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(import.meta.url), '../../..');

/** The environment wins over `.env`. */
export function loadEnvironment() {
  const file = join(root, '.env');
  if (!existsSync(file)) return { ...process.env };
  const lines = readFileSync(file, 'utf8').split(/\r?\n/);
  const pairs = lines.flatMap((line) => {
    const match = /^\s*(?:export\s+)?([A-Z_][A-Z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    return match ? [[match[1], match[2].replace(/^(['"])(.*)\1$/, '$2')]] : [];
  });
  return { ...Object.fromEntries(pairs), ...process.env };
}

export function dataDirOf(env, fallback = '.data') {
  const dir = resolve(root, env.DATA_DIR || fallback);
  mkdirSync(join(dir, 'logs'), { recursive: true });
  return dir;
}

export const say = (text) => console.error(text);

export function fail(message) {
  console.error(message);
  process.exit(1);
}
