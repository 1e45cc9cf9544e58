import mysql, { type Pool } from 'mysql2/promise';
import { createAddressMutex } from './address-mutex';
import type { Keys } from './auth';
import { campaignTruthRoutes } from './campaigns/truth';
import { startClock } from './sending/clock';
import type { Context } from './context';
import { createControl, reply } from './control';
import { createControlRoutes } from './control-routes';
import { cronRoutes } from './sending/cron';
import { createDoor } from './door';
import { createFaults } from './faults';
import { createFieldCache } from './field-cache';
import { pmtaRoutes } from './campaigns/pmta';
import { createRandom } from './random';
import { campaignLogRoutes } from './resources/campaign-logs';
import { campaignRoutes } from './resources/campaigns';
import { countryRoutes } from './resources/countries';
import { customerRoutes } from './resources/customers';
import { deliveryServerRoutes } from './resources/delivery-servers';
import { fieldRoutes } from './resources/fields';
import { listRoutes } from './resources/lists';
import { segmentRoutes } from './resources/segments';
import { subscriberRoutes } from './resources/subscribers';
import { templateRoutes } from './resources/templates';
import { trackingRoutes } from './resources/tracking';
import { transactionalRoutes } from './resources/transactional';
import type { Route } from './router';
import { listsOf, type SandboxList } from './seed/lists';
import { createStates } from './states';
import { defaultSwitches } from './switches';
import { prepareDatabase } from './tables/prepare';
import { createTransport } from './transport';
import { stableUid } from './uid';
import { webhookRoutes } from './sending/webhooks';

export type RunningInstance = {
  instance_id: string;
  api_url: string;
  api_key: string;
  /** The key pair of signed 1.x requests. */
  public_key: string;
  private_key: string;
  mysql_url: string;
  control_url: string;
  lists: SandboxList[];
  stop: () => Promise<void>;
};

const routes: Route[] = [
  listRoutes, fieldRoutes, segmentRoutes, subscriberRoutes, templateRoutes, campaignRoutes, campaignLogRoutes, trackingRoutes, transactionalRoutes, customerRoutes, countryRoutes, deliveryServerRoutes,
].flat();

/** One MailWizz: an API on `port`, a control listener on `port + 1`, a database of its own. */
export async function startInstance({ mariadb, number, port }: { mariadb: string; number: number; port: number }): Promise<RunningInstance> {
  const instanceId = `client-${number}`;
  const database = `mw_client_${number}`;
  const password = stableUid(`${instanceId}/mysql`);
  const keys = toKeys(instanceId);
  const lists = listsOf(number);
  const root = await mysql.createConnection(mariadb);
  await prepareDatabase(root, { instanceId, database, user: database, password, lists, keys });
  await root.end();

  const random = createRandom(number);
  const context = toContext(openPool(`${mariadb}/${database}`), instanceId, random.next);
  const calls = new Map<string, number>();
  const serve = createTransport({ context, keys, routes, noteCall: (name) => calls.set(name, (calls.get(name) ?? 0) + 1) });
  const api = createDoor(port, (req, res) => void serve(req, res).catch(() => res.destroy()).then(applyBegun));
  const states = createStates({ api, pool: context.pool, faults: context.faults, user: database });
  const clock = startClock(context);
  const ours = createControlRoutes({ calls, routeNames: routes.map(({ name }) => name), applyStates: states.applyStates, reseed: random.reseed });
  const serveControl = createControl(context, [...ours, ...clock.routes, ...cronRoutes, ...webhookRoutes, ...campaignTruthRoutes, ...pmtaRoutes]);
  const control = createDoor(port + 1, (req, res) => void serveControl(req, res).catch((error: unknown) => reply(res, { code: 500, body: { error: String(error) } })));
  await api.open();
  await control.open();
  const mysqlHost = new URL(mariadb);

  return {
    instance_id: instanceId,
    api_url: `http://127.0.0.1:${port}/api`,
    api_key: keys.apiKey,
    public_key: keys.publicKey,
    private_key: keys.privateKey,
    mysql_url: `mysql://${database}:${password}@${mysqlHost.hostname}:${mysqlHost.port}/${database}`,
    control_url: `http://127.0.0.1:${port + 1}`,
    lists,
    async stop() {
      await states.end();
      await api.close();
      await control.close();
      await clock.stop();
      await context.pool.end();
    },
  };

  /** A state that begins after so many stored subscribers is looked at after each call. */
  function applyBegun(): void {
    if (context.faults.isOn('down') || context.faults.isOn('mysql_down')) states.applyStates().catch((error: unknown) => console.error(`${instanceId}: a state could not be changed: ${String(error)}`));
  }
}

function toKeys(instanceId: string): Keys {
  const key = (name: string) => [1, 2, 3, 4].map((part) => stableUid(`${instanceId}/${name}/${part}`)).join('').slice(0, 40);
  return { apiKey: key('key'), publicKey: key('public'), privateKey: key('private') };
}

function openPool(uri: string): Pool {
  const pool = mysql.createPool({ uri, connectionLimit: 8, dateStrings: true, timezone: 'Z' });
  pool.pool.on('connection', (connection) => connection.query("SET time_zone = '+00:00'"));
  return pool;
}

function toContext(pool: Pool, instanceId: string, random: () => number): Context {
  const switches = defaultSwitches();
  return {
    pool,
    instanceId,
    switches,
    random,
    faults: createFaults(random),
    fields: createFieldCache(pool),
    withAddresses: createAddressMutex(),
    mails: [],
    now: () => new Date(),
    customer: {
      customer_id: 1,
      get timezone() {
        return switches.customer_timezone;
      },
    },
  };
}
