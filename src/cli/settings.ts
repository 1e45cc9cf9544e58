import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';

const root = resolve(__dirname, '../..');
const services = z.record(z.string(), z.string());

/**
 * The environment wins over `.env` (or the file that ENV_FILE names), and what it does not name may be served here already: `npm start` and
 * `npm run services` leave the addresses of what they serve under DATA_DIR.
 */
export function readSettings(environment: Record<string, string | undefined> = process.env): Record<string, string | undefined> {
  const settings: Record<string, string | undefined> = { ...readEnvFile(environment['ENV_FILE'] || join(root, '.env')), ...environment };
  const dataDir = resolve(root, settings['DATA_DIR'] || '.data');
  const served = readServices(join(dataDir, 'services.json'));
  for (const [name, value] of Object.entries(served)) settings[name] ||= value;
  return { ...settings, DATA_DIR: dataDir };
}

const line = /^\s*(?:export\s+)?([A-Z_][A-Z0-9_]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|(.*?))(?:\s+#.*)?\s*$/;

/** As scripts/lib/settings.mjs reads it; a `#` inside a word (a password in an address) is part of it. */
function readEnvFile(file: string): Record<string, string> {
  if (!existsSync(file)) return {};
  const settings = readFileSync(file, 'utf8').split(/\r?\n/).flatMap((text) => {
    const [, name, double, single, plain] = line.exec(text) ?? [];
    return name === undefined ? [] : [[name, double ?? single ?? plain ?? ''] as const];
  });
  return Object.fromEntries(settings);
}

function readServices(file: string): Record<string, string> {
  if (!existsSync(file)) return {};
  const parsed = services.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  return parsed.success ? parsed.data : {};
}
