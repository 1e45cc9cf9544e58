import { insertKey, listOperatorKeys, revokeOperatorKey, type StoredKey } from '../../db/queries/api-keys';
import { recordAudit } from '../../db/queries/audit';
import type { Db } from '../../db/client';
import { makeApiKey } from '../api/keys';
import { loadStoreConfig } from '../config';
import type { Command, Values } from './commands';
import { withDatabase } from './database';
import { readSettings } from './settings';

export const keysCommand: Command = {
  summary: 'make, list and revoke operator keys',
  help: `email-engine keys create [--name NAME] [--json]    makes an operator key and prints it once
email-engine keys list [--json]                    all operator keys, without their secrets
email-engine keys revoke KEY_ID [--json]           it works no more within a second; the last live one stays

Needs DATABASE_URL only. Keys of data sources: /api/v1/data-sources/{source_id}/keys.`,
  options: { options: { name: { type: 'string', default: 'operator' }, json: { type: 'boolean', default: false } } },
  async run(values, [order, keyId, ...rest]) {
    const orders = new Map([['create', createKey], ['list', listKeys], ['revoke', revokeKey]]);
    const run = orders.get(order ?? '');
    if (!run || rest.length > 0 || (order === 'revoke') === (keyId === undefined)) {
      console.error(keysCommand.help);
      return 2;
    }
    return withDatabase(loadStoreConfig(readSettings()).databaseUrl, (db) => run(db, values, keyId ?? ''));
  },
};

async function createKey(db: Db, values: Values): Promise<number> {
  const { text, parsed } = makeApiKey('adm');
  await db.transaction(async (tx) => {
    await insertKey(tx, { ...parsed, name: String(values.get('name') ?? 'operator').slice(0, 255) });
    await recordAudit(tx, { actor: 'cli', action: 'key.created', entity: 'operators', details: { key_id: parsed.keyId } });
  });
  console.log(values.get('json') === true ? JSON.stringify({ key_id: parsed.keyId, key: text }) : text);
  return 0;
}

async function listKeys(db: Db, values: Values): Promise<number> {
  const keys = (await listOperatorKeys(db)).map(toShown);
  if (values.get('json') === true) console.log(JSON.stringify(keys));
  else for (const key of keys) console.log(`${key.key_id}  ${key.state.padEnd(7)}  made ${toDay(key.created_at)}  used ${key.last_used_at === null ? 'never     ' : toDay(key.last_used_at)}  ${key.name}`);
  return 0;
}

async function revokeKey(db: Db, values: Values, keyId: string): Promise<number> {
  const became = await db.transaction(async (tx) => {
    const outcome = await revokeOperatorKey(tx, keyId);
    if (outcome === 'revoked') await recordAudit(tx, { actor: 'cli', action: 'key.revoked', entity: 'operators', details: { key_id: keyId } });
    return outcome;
  });
  const texts = { revoked: `${keyId} works no more.`, absent: `There is no live operator key ${keyId}: email-engine keys list`, last: `${keyId} is the last live operator key: make another one first, email-engine keys create` };
  if (values.get('json') === true) console.log(JSON.stringify({ key_id: keyId, outcome: became }));
  else (became === 'revoked' ? console.log : console.error)(texts[became]);
  return became === 'revoked' ? 0 : 1;
}

const toDay = (at: Date) => at.toISOString().slice(0, 10);
const toShown = (key: StoredKey) => ({
  key_id: key.keyId,
  name: key.name,
  state: key.revokedAt !== null ? 'revoked' : key.expiresAt !== null && key.expiresAt <= new Date() ? 'expired' : 'live',
  created_at: key.createdAt,
  last_used_at: key.lastUsedAt,
  expires_at: key.expiresAt,
  revoked_at: key.revokedAt,
});
