import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';

/** Every wrong setting of one start, a line each. */
export class ConfigError extends Error {
  constructor(readonly lines: string[]) {
    super(`The settings are wrong:\n${lines.map((line) => `  ${line}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const toMs = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  const unit = match?.[2];
  if (!match?.[1]) return undefined;
  return Number(match[1]) * (unit === 's' || unit === 'm' || unit === 'h' || unit === 'ms' ? units[unit] : 1);
};

const duration = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => toMs(text) ?? refuse(context, 'is a duration such as 500ms, 10s, 5m or 1h'));
const durations = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      const waits = text.split(',').map((part) => toMs(part) ?? -1);
      return waits.every((wait) => wait >= 0) && waits.length <= 20 ? waits : refuse(context, 'is a list of up to 20 durations such as 5m,20m,1h');
    });
const flag = (fallback: 'true' | 'false') => z.enum(['true', 'false'], 'is true or false').default(fallback).transform((text) => text === 'true');
const count = (fallback: number, min: number, max: number) => z.coerce.number(`is a number from ${min} to ${max}`).int().min(min, `is at least ${min}`).max(max, `is at most ${max}`).default(fallback);
const servers = z
  .string()
  .transform((text, context) => {
    const list = text.split(',').map((part) => part.trim());
    return list.every(isServer) ? list : refuse(context, 'is a list of ip:port, such as 9.9.9.9:53 or [2620:fe::fe]:53');
  })
  .optional();

function isServer(text: string): boolean {
  const [, v4, v6, port = '53'] = /^(?:([0-9.]+)|\[([0-9a-fA-F:.]+)\])(?::(\d+))?$/.exec(text) ?? [];
  return (isIP(v4 ?? '') === 4 || isIP(v6 ?? '') === 6) && isPort(port);
}
const isPort = (text: string) => Number(text) >= 1 && Number(text) <= 65_535;

function refuse(context: z.core.$RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message, input: undefined });
  return z.NEVER;
}

/** What is needed to reach what is stored, and nothing more: all that a command of an operator asks for. */
const storeEnvironment = z.object({
  DATABASE_URL: z
    .string('is missing: postgres://user:password@host:5432/database (npm start and npm run services bring one; for those of the demo set DATA_DIR=.data/demo)')
    .regex(/^postgres(ql)?:\/\//, 'begins with postgres://')
    .refine((text) => URL.canParse(text.replace('@/', '@socket/')), 'is no URL: postgres://user:password@host:5432/database, with %xx for special characters in the password'),
  DATA_DIR: z.string().default('.data'),
  SECRETS_KEY: z.string().regex(/^[\w-]{1,20}:[A-Za-z0-9+/]{43}=$/, 'is <key id>:<32 bytes in base64>').optional(),
  SECRETS_OLD_KEYS: z.string().regex(/^[\w-]{1,20}:[A-Za-z0-9+/]{43}=(,[\w-]{1,20}:[A-Za-z0-9+/]{43}=){0,9}$/, 'is a list of <key id>:<32 bytes in base64>').optional(),
});

const environment = storeEnvironment.extend({
  HOST: z.string().default('127.0.0.1'),
  PORT: count(8080, 1, 65_535),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'is one of fatal, error, warn, info, debug, trace, silent').default('info'),
  TEMPORAL_ADDRESS: z.string('is missing: host:7233').refine((text) => isPort(/^[^\s:]+:(\d{1,5})$/.exec(text)?.[1] ?? ''), 'is host:port'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_TLS_CERT: z.string().optional(),
  TEMPORAL_TLS_KEY: z.string().optional(),
  TEMPORAL_TLS_CA: z.string().optional(),
  TEMPORAL_UI_URL: z.url('is a URL').optional(),
  TASK_QUEUE: z.string().regex(/^[\w.-]{1,100}$/, 'is up to 100 letters, digits, . _ -').default('email-engine'),
  ADMIN_API_KEY: z.string().regex(/^ee_adm_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/, 'has the form ee_adm_… of `email-engine keys create`').optional(),
  VERIFICATION_DEPTH: z.enum(['syntax', 'dns', 'smtp'], 'is syntax, dns or smtp').default('dns'),
  DNS_SERVERS: servers,
  DNS_TIMEOUT: duration('5s'),
  SMTP_PORT: count(25, 1, 65_535),
  SMTP_HELO_NAME: z.string().regex(/^(?!localhost$)[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+$/, 'is a full host name of ours, not localhost').optional(),
  SMTP_MAIL_FROM: z.string().regex(/^[^\s@<>]+@[^\s@<>]+$/, 'is an address that we own').optional(),
  SMTP_ALLOW_PRIVATE: flag('false'),
  SMTP_CONNECT_TIMEOUT: duration('10s'),
  SMTP_GREETING_TIMEOUT: duration('30s'),
  SMTP_COMMAND_TIMEOUT: duration('30s'),
  SMTP_TOTAL_TIMEOUT: duration('2m'),
  SMTP_CONNECTIONS: count(80, 1, 1_000),
  SMTP_CONNECTIONS_PER_POOL: count(2, 1, 100),
  SMTP_RECIPIENTS_PER_CONNECTION: count(10, 1, 100),
  SMTP_GREYLIST_WAITS: durations('5m,20m,60m'),
  SMTP_BUSY_WAITS: durations('15m,1h,4h'),
  SMTP_DNS_WAITS: durations('1m,10m,1h'),
  SMTP_PROVIDER_WAITS: durations('2h,4h'),
  SMTP_POOL_WAITS: durations('1m,10m,1h'),
  MAILWIZZ_PROBE_EVERY: duration('30s'),
  INJECTION_WAITS: durations('5s,30s,2m,10m,30m'),
  DUE_BUCKET: duration('5s'),
  CAMPAIGN_LOOK: duration('5s'),
  INGEST_WAIT: duration('5s'),
});

export type Config = ReturnType<typeof loadConfig>;
export type StoreConfig = Pick<Config, 'databaseUrl' | 'dataDir' | 'secretsKey' | 'secretsOldKeys'>;

/** An empty setting (`PORT=` in .env) means: not set. */
const withoutEmpty = (env: Record<string, string | undefined>) => Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
const toLines = (error: z.ZodError | undefined) => error?.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`) ?? [];

/** What an operator's command needs: Temporal may be anywhere or nowhere. */
export function loadStoreConfig(env: Record<string, string | undefined>): StoreConfig {
  const parsed = storeEnvironment.safeParse(withoutEmpty(env));
  if (!parsed.success) throw new ConfigError(toLines(parsed.error));
  return toStoreConfig(parsed.data);
}

const toStoreConfig = (set: z.infer<typeof storeEnvironment>) => ({
  databaseUrl: set.DATABASE_URL,
  dataDir: set.DATA_DIR,
  secretsKey: set.SECRETS_KEY,
  secretsOldKeys: set.SECRETS_OLD_KEYS,
});

/** The only reader of the environment. Throws ConfigError with every wrong setting in words; unknown settings are none of our business. */
export function loadConfig(env: Record<string, string | undefined>) {
  const parsed = environment.safeParse(withoutEmpty(env));
  const lines = [...toLines(parsed.error), ...findContradictions(env)];
  if (!parsed.success || lines.length > 0) throw new ConfigError(lines);
  const set = parsed.data;
  return {
    ...toStoreConfig(set),
    host: set.HOST,
    port: set.PORT,
    logLevel: set.LOG_LEVEL,
    taskQueue: set.TASK_QUEUE,
    temporal: {
      address: set.TEMPORAL_ADDRESS,
      namespace: set.TEMPORAL_NAMESPACE,
      apiKey: set.TEMPORAL_API_KEY,
      tls:
        set.TEMPORAL_TLS_CA === undefined && set.TEMPORAL_TLS_CERT === undefined
          ? undefined
          : { ca: set.TEMPORAL_TLS_CA, cert: set.TEMPORAL_TLS_CERT, key: set.TEMPORAL_TLS_KEY },
      uiUrl: set.TEMPORAL_UI_URL,
    },
    adminApiKey: set.ADMIN_API_KEY,
    verification: {
      depth: set.VERIFICATION_DEPTH,
      dnsServers: set.DNS_SERVERS,
      dnsTimeoutMs: set.DNS_TIMEOUT,
      port: set.SMTP_PORT,
      heloName: set.SMTP_HELO_NAME ?? '',
      mailFrom: set.SMTP_MAIL_FROM ?? '',
      allowPrivate: set.SMTP_ALLOW_PRIVATE,
      timeouts: { connectMs: set.SMTP_CONNECT_TIMEOUT, greetingMs: set.SMTP_GREETING_TIMEOUT, commandMs: set.SMTP_COMMAND_TIMEOUT, totalMs: set.SMTP_TOTAL_TIMEOUT },
      limits: { connections: set.SMTP_CONNECTIONS, connectionsPerPool: set.SMTP_CONNECTIONS_PER_POOL, recipientsPerConnection: set.SMTP_RECIPIENTS_PER_CONNECTION },
    },
    waits: {
      greylist: set.SMTP_GREYLIST_WAITS,
      busy: set.SMTP_BUSY_WAITS,
      dns: set.SMTP_DNS_WAITS,
      provider: set.SMTP_PROVIDER_WAITS,
      pool: set.SMTP_POOL_WAITS,
    },
    mailwizzProbeEveryMs: set.MAILWIZZ_PROBE_EVERY,
    injectionWaitsMs: set.INJECTION_WAITS,
    dueBucketMs: Math.max(100, set.DUE_BUCKET),
    campaignLookMs: Math.max(100, set.CAMPAIGN_LOOK),
    ingestWaitMs: set.INGEST_WAIT,
  };
}

/** Settings that are right each by itself and mean nothing together. */
function findContradictions(env: Record<string, string | undefined>): string[] {
  const lines: string[] = [];
  if (env['VERIFICATION_DEPTH'] === 'smtp') {
    if (!env['SMTP_HELO_NAME']) lines.push('SMTP_HELO_NAME is missing: VERIFICATION_DEPTH=smtp needs the name we greet mail servers with');
    if (!env['SMTP_MAIL_FROM']) lines.push('SMTP_MAIL_FROM is missing: VERIFICATION_DEPTH=smtp needs a sender address that we own');
  }
  if (env['TEMPORAL_TLS_CERT'] && !env['TEMPORAL_TLS_KEY']) lines.push('TEMPORAL_TLS_KEY is missing: TEMPORAL_TLS_CERT is nothing without its key');
  if (env['TEMPORAL_TLS_KEY'] && !env['TEMPORAL_TLS_CERT']) lines.push('TEMPORAL_TLS_CERT is missing: TEMPORAL_TLS_KEY is nothing without its certificate');
  if (env['SECRETS_OLD_KEYS'] && !env['SECRETS_KEY']) lines.push('SECRETS_KEY is missing: SECRETS_OLD_KEYS only stand beside the key that seals');
  return lines;
}

export type SecretsKeys = { keys: Map<string, Buffer>; currentKid: string };

const secretsFile = (config: StoreConfig) => join(config.dataDir, 'secrets-key');

/** The keys of what is sealed at rest: the settings, else a file under DATA_DIR made once. The first seals; all of them open. */
export function loadSecretsKeys(config: StoreConfig): SecretsKeys {
  const fromSettings = config.secretsKey !== undefined;
  const lines = fromSettings ? [config.secretsKey, ...(config.secretsOldKeys?.split(',') ?? [])] : readOrMakeKeys(secretsFile(config)).trim().split(/\s+/);
  const keys = new Map<string, Buffer>();
  for (const line of lines) {
    const [kid = '', base64 = ''] = (line ?? '').split(':');
    const key = Buffer.from(base64, 'base64');
    if (key.length !== 32 || keys.has(kid)) throw new ConfigError([`${fromSettings ? 'SECRETS_KEY and SECRETS_OLD_KEYS do' : `${secretsFile(config)} does`} not hold different <key id>:<32 bytes in base64>`]);
    keys.set(kid, key);
  }
  return { keys, currentKid: [...keys.keys()][0] ?? '' };
}

function readOrMakeKeys(file: string): string {
  mkdirSync(join(file, '..'), { recursive: true });
  try {
    // Two processes may start at once: only one may make the key.
    writeFileSync(file, `k1:${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return readFileSync(file, 'utf8');
}

/** Puts a new key in front of the file's keys: from the next start on it seals, the others still open. Answers its id. */
export function addSecretsKey(config: StoreConfig): string {
  if (config.secretsKey !== undefined) throw new ConfigError(['SECRETS_KEY is set: put a new key there and the present one into SECRETS_OLD_KEYS']);
  const file = secretsFile(config);
  const known = readOrMakeKeys(file);
  const numbers = [...loadSecretsKeys(config).keys.keys()].map((kid) => Number(/^k(\d+)$/.exec(kid)?.[1] ?? 0));
  const kid = `k${Math.max(0, ...numbers) + 1}`;
  // Whole or not at all: a half-written file would lock every secret away.
  writeFileSync(`${file}.new`, `${kid}:${randomBytes(32).toString('base64')}\n${known}`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return kid;
}
