import { listSealed, replaceSeal, type SealedInstance } from '../../db/queries/secrets';
import { createVault, kidOf, type Vault } from '../adapters/vault';
import { addSecretsKey, loadSecretsKeys, loadStoreConfig, type SecretsKeys } from '../config';
import type { Command } from './commands';
import { withDatabase } from './database';
import { readSettings } from './settings';

const rowsAtOnce = 100;
const columns = [
  { column: 'apiKey', name: 'api_key' },
  { column: 'mysqlPassword', name: 'mysql_password' },
] as const;

export const secretsCommand: Command = {
  summary: 'change the key that seals secrets at rest',
  help: `email-engine secrets new-key            puts a new key in front of DATA_DIR/secrets-key; restart api and worker then
email-engine secrets rotate [--json]    seals every secret with the first key; safe to stop and to repeat, beside running processes

The order matters: every process must know the new key before a secret is sealed with it.
  keys in the file      new-key, restart api and worker, rotate
  keys in the settings  SECRETS_KEY=<new>, SECRETS_OLD_KEYS=<present>, restart api and worker, rotate, then drop SECRETS_OLD_KEYS`,
  options: { options: { json: { type: 'boolean', default: false } } },
  async run(values, [order]) {
    const config = loadStoreConfig(readSettings());
    if (order === 'new-key') {
      console.log(`Key ${addSecretsKey(config)} is made. Restart api and worker, then: email-engine secrets rotate`);
      return 0;
    }
    if (order !== 'rotate') {
      console.error(secretsCommand.help);
      return 2;
    }
    const keys = loadSecretsKeys(config);
    const { sealed, kept } = await withDatabase(config.databaseUrl, (db) => rotate(db, keys));
    if (values.get('json') === true) console.log(JSON.stringify({ key_id: keys.currentKid, sealed, kept }));
    else console.log(`${sealed} secrets are sealed with key ${keys.currentKid} now; ${kept} were already.`);
    return 0;
  },
};

/** One secret at a time, each in a statement of its own: a kill leaves some under the old key, and a repeat goes on with those. */
export async function rotate(db: Parameters<typeof listSealed>[0], keys: SecretsKeys): Promise<{ sealed: number; kept: number }> {
  const vault = createVault(keys);
  const done = { sealed: 0, kept: 0 };
  for (let afterId = 0; ; ) {
    const instances = await listSealed(db, { afterId, limit: rowsAtOnce });
    const last = instances.at(-1);
    if (!last) return done;
    for (const instance of instances) {
      for (const place of columns) {
        const from = instance[place.column];
        if (from === null || kidOf(from) === keys.currentKid) done.kept += from === null ? 0 : 1;
        else if (await replaceSeal(db, { id: instance.id, column: place.column, from, to: sealAgain(vault, instance, place.name, from) })) done.sealed += 1;
      }
    }
    afterId = last.id;
  }
}

function sealAgain(vault: Vault, { instanceId }: SealedInstance, column: string, sealed: string): string {
  const place = `mailwizz_instances/${instanceId}/${column}`;
  return vault.seal(vault.open(sealed, place), place);
}
