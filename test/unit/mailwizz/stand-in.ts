import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { startInstance } from '../../../sandbox/mailwizz/instance';
import { startMariadb } from '../../../sandbox/mariadb';
import type { InstanceSettings } from '../../../src/adapters/mailwizz/types';

/** One stand-in MailWizz with a MariaDB of its own, and the way behind its back into the tables. */
export async function startStandIn() {
  const dataDir = mkdtempSync(join(tmpdir(), 'mailwizz-test-'));
  const mariadb = await startMariadb({ dataDir, port: await freePort() });
  const instance = await startInstance({ mariadb: mariadb.url, number: 1, port: await freePort() });
  const root = mysql.createPool({ uri: `${mariadb.url}/mw_client_1` });
  const url = new URL(instance.mysql_url);
  const settings: InstanceSettings & { mysql: NonNullable<InstanceSettings['mysql']> } = {
    instanceId: 'client-1', apiUrl: instance.api_url, apiKey: instance.api_key, allowPrivateNetwork: true,
    lists: instance.lists.map((list) => ({ listId: list.list_id, listUid: list.list_uid, fields: [] })),
    mysql: { host: url.hostname, port: Number(url.port), user: url.username, password: url.password, database: url.pathname.slice(1), tablePrefix: 'mw_' },
  };
  const control = async (method: string, path: string, body?: unknown): Promise<any> =>
    (await fetch(`${instance.control_url}${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })).json();
  return {
    settings, root, control, mariadbUrl: mariadb.url,
    down: () => control('POST', '/faults', { route: '*', fault: 'down' }),
    truth: async (): Promise<{ email: string; subscriber_uid: string; status: string }[]> => control('GET', '/truth/subscribers?list_id=12'),
    reset: async () => {
      await control('DELETE', '/faults');
      await control('DELETE', '/subscribers');
      await root.query('DELETE FROM mw_customer_email_blacklist');
    },
    stop: async () => {
      await root.end();
      await instance.stop();
      await mariadb.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
export type StandIn = Awaited<ReturnType<typeof startStandIn>>;

/** Two in a row, as an instance takes its neighbour for the control side. */
async function freePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const port = await portOf(0);
    if ((await portOf(port + 1).catch(() => 0)) !== 0) return port;
  }
  throw new Error('no free pair of ports');
}
function portOf(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
