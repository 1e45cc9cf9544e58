import type { Db, DbHandle } from '../../db/client';
import { resolveAlert } from '../../db/queries/alerts';
import { recordAudit } from '../../db/queries/audit';
import { findInstance, insertInstance, type Instance, listInstances, listLists, replaceLists, updateInstance } from '../../db/queries/instances';
import { listAllCategoryRules, listRoutingRules } from '../../db/queries/rules';
import type { Vault } from '../adapters/vault';
import { EngineError } from '../domain/errors';
import { anyAnswer, listAnswer } from '../schemas/answers';
import { instanceChanges, listMap, newInstance, paging } from '../schemas/requests';
import { actorOf } from './auth';
import { pageAnswer, serve, textParam } from './operations';

const tag = 'MailWizz instances';
const notFound = (id: string) => new EngineError('notFound', 'no instance', { publicMessage: `There is no MailWizz instance ${id}.` });

export const createInstanceRoutes = ({ db, vault }: { db: Db; vault: Pick<Vault, 'seal'> }) => [
  serve({ method: 'get', path: '/mailwizz-instances', tag, who: 'operator', summary: 'List MailWizz instances', query: paging, answer: { status: 200, text: 'A page of instances, without their secrets', schema: listAnswer } }, async (req, res) => {
    const page = paging.parse(req.query);
    const { items, total } = await listInstances(db, page);
    res.json(pageAnswer(items.map(toInstance), total, page));
  }),

  serve(
    { method: 'post', path: '/mailwizz-instances', tag, who: 'operator', summary: 'Configure a MailWizz instance', body: newInstance, answer: { status: 201, text: 'Configured; secrets are sealed and never shown again', schema: anyAnswer }, errors: [409, 422] },
    async (req, res, caller) => {
      const { instance_id: instanceId, name, api_url: apiUrl, api_key: apiKey, ...rest } = newInstance.parse(req.body);
      const made = await db.transaction(async (tx) => {
        const inserted = await insertInstance(tx, { instanceId, name, apiUrl, apiKey: vault.seal(apiKey, aad(instanceId, 'api_key')), ...toColumns(rest, instanceId, vault) });
        if (!inserted) throw new EngineError('conflict', 'instance exists', { publicMessage: `MailWizz instance ${instanceId} exists already.` });
        await recordAudit(tx, { actor: actorOf(caller), action: 'instance.created', entity: instanceId });
        return requireMysql(await get(tx, instanceId));
      });
      res.status(201).location(`/api/v1/mailwizz-instances/${instanceId}`).json(toInstance(made));
    },
  ),

  serve({ method: 'get', path: '/mailwizz-instances/{instance_id}', tag, who: 'operator', summary: 'One MailWizz instance', answer: { status: 200, text: 'The instance', schema: anyAnswer }, errors: [404] }, async (req, res) => {
    res.json(toInstance(await get(db, textParam(req, 'instance_id'))));
  }),

  serve(
    { method: 'patch', path: '/mailwizz-instances/{instance_id}', tag, who: 'operator', summary: 'Change a MailWizz instance', description: 'A new api_key takes a parked instance back into service.', body: instanceChanges, answer: { status: 200, text: 'The instance as it is now', schema: anyAnswer }, errors: [404, 422] },
    async (req, res, caller) => {
      const instanceId = textParam(req, 'instance_id');
      const body = instanceChanges.parse(req.body);
      res.json(toInstance(await change(db, instanceId, toColumns(body, instanceId, vault), 'instance.changed', actorOf(caller))));
    },
  ),

  serve({ method: 'delete', path: '/mailwizz-instances/{instance_id}', tag, who: 'operator', summary: 'Deactivate a MailWizz instance', description: 'Contacts routed to it wait and are shown as waiting.', answer: { status: 204, text: 'Deactivated' }, errors: [404] }, async (req, res, caller) => {
    await change(db, textParam(req, 'instance_id'), { isActive: false }, 'instance.deactivated', actorOf(caller));
    res.status(204).end();
  }),

  serve({ method: 'get', path: '/mailwizz-instances/{instance_id}/lists', tag, who: 'operator', summary: 'Its lists: number, uid, fields and what our ledger holds', answer: { status: 200, text: 'The lists', schema: anyAnswer }, errors: [404] }, async (req, res) => {
    const { instanceId } = await get(db, textParam(req, 'instance_id'));
    res.json({ items: await listLists(db, instanceId) });
  }),

  serve(
    { method: 'put', path: '/mailwizz-instances/{instance_id}/lists', tag, who: 'operator', summary: 'Name its lists by hand', description: 'The API of MailWizz knows uids only; where MySQL is enabled the map is read from there by itself. Lists that are not named stay.', body: listMap, answer: { status: 200, text: 'The lists', schema: anyAnswer }, errors: [404, 422] },
    async (req, res, caller) => {
      const { lists } = listMap.parse(req.body);
      const { instanceId } = await get(db, textParam(req, 'instance_id'));
      await db.transaction(async (tx) => {
        await replaceLists(tx, instanceId, lists);
        await recordAudit(tx, { actor: actorOf(caller), action: 'instance.lists_named', entity: instanceId, details: { lists: lists.length } });
      });
      res.json({ items: await listLists(db, instanceId) });
    },
  ),

  serve({ method: 'get', path: '/routing-rules', tag: 'rules', who: 'operator', summary: 'Routing rules in order', answer: { status: 200, text: 'The rules', schema: anyAnswer } }, async (_req, res) => {
    const rules = await listRoutingRules(db);
    res.json({ items: rules.map((rule) => ({ id: rule.id, position: rule.position, category: rule.category, instance_id: rule.instanceId, list_id: rule.listId, is_active: rule.isActive })) });
  }),

  serve({ method: 'get', path: '/category-rules', tag: 'rules', who: 'operator', summary: 'Category rules in order', answer: { status: 200, text: 'The rules', schema: anyAnswer } }, async (_req, res) => {
    const rules = await listAllCategoryRules(db);
    res.json({ items: rules.map((rule) => ({ id: rule.id, position: rule.position, category: rule.category, words: rule.words, unless: rule.unless, is_active: rule.isActive })) });
  }),
];

async function get(db: DbHandle, instanceId: string): Promise<Instance> {
  const found = await findInstance(db, instanceId);
  if (!found) throw notFound(instanceId);
  return found;
}

/** The way into MySQL needs a place and a name; judged on the row as it would be, since a change names only a part of it. */
function requireMysql(instance: Instance): Instance {
  const needed = { mysql_host: instance.mysqlHost, mysql_database: instance.mysqlDatabase, mysql_user: instance.mysqlUser };
  const missing = Object.entries(needed).filter(([, value]) => value === null);
  if (!instance.mysqlEnabled || missing.length === 0) return instance;
  const fields = missing.map(([field]) => ({ field, reason: 'missing', message: 'is needed where mysql_enabled is true' }));
  throw new EngineError('invalid', 'mysql without a place', { publicMessage: fields.map(({ field, message }) => `${field} ${message}`).join('; '), fields });
}

const aad = (instanceId: string, column: string) => `mailwizz_instances/${instanceId}/${column}`;

function change(db: Db, instanceId: string, changes: Parameters<typeof updateInstance>[2], action: string, actor: string): Promise<Instance> {
  return db.transaction(async (tx) => {
    const changed = await updateInstance(tx, instanceId, changes);
    if (!changed) throw notFound(instanceId);
    requireMysql(changed);
    if (changes.parkedAt === null) await resolveAlert(tx, { kind: 'instance_parked', subject: instanceId });
    await recordAudit(tx, { actor, action, entity: instanceId, details: { fields: Object.keys(changes) } });
    return changed;
  });
}

type Settings = Partial<ReturnType<typeof instanceChanges.parse>>;

function toColumns(body: Settings, instanceId: string, vault: Pick<Vault, 'seal'>): Parameters<typeof updateInstance>[2] {
  return {
    ...(body.name !== undefined && { name: body.name }),
    ...(body.description !== undefined && { description: body.description }),
    ...(body.api_url !== undefined && { apiUrl: body.api_url }),
    ...(body.api_key !== undefined && { apiKey: vault.seal(body.api_key, aad(instanceId, 'api_key')), parkedAt: null, lastError: null }),
    ...(body.mysql_enabled !== undefined && { mysqlEnabled: body.mysql_enabled }),
    ...(body.mysql_host !== undefined && { mysqlHost: body.mysql_host }),
    ...(body.mysql_port !== undefined && { mysqlPort: body.mysql_port }),
    ...(body.mysql_database !== undefined && { mysqlDatabase: body.mysql_database }),
    ...(body.mysql_user !== undefined && { mysqlUser: body.mysql_user }),
    ...(body.mysql_password !== undefined && { mysqlPassword: body.mysql_password === null ? null : vault.seal(body.mysql_password, aad(instanceId, 'mysql_password')) }),
    ...(body.mysql_table_prefix !== undefined && { mysqlTablePrefix: body.mysql_table_prefix }),
    ...(body.allow_private_network !== undefined && { allowPrivateNetwork: body.allow_private_network }),
    ...(body.default_from_name !== undefined && { defaultFromName: body.default_from_name }),
    ...(body.default_from_email !== undefined && { defaultFromEmail: body.default_from_email }),
    ...(body.event_zone !== undefined && { eventZone: body.event_zone }),
    ...(body.list_mapping !== undefined && { listMapping: body.list_mapping }),
    ...(body.hourly_cap !== undefined && { hourlyCap: body.hourly_cap }),
    ...(body.daily_cap !== undefined && { dailyCap: body.daily_cap }),
    ...(body.is_active !== undefined && { isActive: body.is_active }),
  };
}

const toInstance = (instance: Instance) => ({
  instance_id: instance.instanceId,
  name: instance.name,
  description: instance.description,
  api_url: instance.apiUrl,
  api_key_set: true,
  mysql_enabled: instance.mysqlEnabled,
  mysql_host: instance.mysqlHost,
  mysql_port: instance.mysqlPort,
  mysql_database: instance.mysqlDatabase,
  mysql_user: instance.mysqlUser,
  mysql_password_set: instance.mysqlPassword !== null,
  mysql_table_prefix: instance.mysqlTablePrefix,
  allow_private_network: instance.allowPrivateNetwork,
  default_from_name: instance.defaultFromName,
  default_from_email: instance.defaultFromEmail,
  event_zone: instance.eventZone,
  list_mapping: instance.listMapping,
  hourly_cap: instance.hourlyCap,
  daily_cap: instance.dailyCap,
  is_active: instance.isActive,
  parked_at: instance.parkedAt,
  last_sync_at: instance.lastSyncAt,
  last_error: instance.lastError,
  created_at: instance.createdAt,
  updated_at: instance.updatedAt,
});
