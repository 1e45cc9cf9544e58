import type { Db } from '../db/client';
import { findInstanceRecord, listInstanceLists } from '../db/queries/instances';
import type { InstanceSettings } from './adapters/mailwizz/types';
import type { Vault } from './adapters/vault';
import { EngineError } from './domain/errors';

/** Reads an instance as its adapter needs it: secrets opened, lists beside it. Throws `notFound`, and `contract` for a seal that does not open. */
export function createInstanceLoader({ db, vault }: { db: Db; vault: Pick<Vault, 'open'> }): (instanceId: string) => Promise<InstanceSettings> {
  return async (instanceId) => {
    const record = await findInstanceRecord(db, instanceId);
    if (!record) throw new EngineError('notFound', `MailWizz instance '${instanceId}' not found`, { publicMessage: `There is no MailWizz instance ${instanceId}.` });
    const open = (sealed: string, column: string) => vault.open(sealed, `mailwizz_instances/${instanceId}/${column}`);
    const { mysql_host: host, mysql_database: database, mysql_user: user } = record;
    return {
      instanceId,
      apiUrl: record.api_url,
      apiKey: open(record.api_key, 'api_key'),
      ...(record.mysql_enabled && host !== null && database !== null && user !== null && {
        mysql: { host, port: record.mysql_port, database, user, password: record.mysql_password === null ? '' : open(record.mysql_password, 'mysql_password'), tablePrefix: record.mysql_table_prefix },
      }),
      allowPrivateNetwork: record.allow_private_network,
      lists: await listInstanceLists(db, instanceId),
      restUntilMs: record.rest_until_ms ?? undefined,
      parked: record.parked,
    };
  };
}
