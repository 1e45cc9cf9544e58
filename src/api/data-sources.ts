import type { Db } from '../../db/client';
import { insertKey, listKeys, revokeKey } from '../../db/queries/api-keys';
import { recordAudit } from '../../db/queries/audit';
import { type DataSource, findSource, insertSource, listSources, sumSource, updateSource } from '../../db/queries/data-sources';
import { findInstance } from '../../db/queries/instances';
import { waitingOf } from '../domain/batch';
import { EngineError } from '../domain/errors';
import { anyAnswer, listAnswer } from '../schemas/answers';
import { newKey, newSource, paging, sourceChanges } from '../schemas/requests';
import { actorOf } from './auth';
import { makeApiKey } from './keys';
import { pageAnswer, serve, textParam } from './operations';

const tag = 'data sources';
const notFound = (sourceId: string) => new EngineError('notFound', 'no source', { publicMessage: `There is no data source ${sourceId}.` });

export const createSourceRoutes = ({ db }: { db: Db }) => [
  serve({ method: 'get', path: '/data-sources', tag, who: 'operator', summary: 'List data sources', query: paging, answer: { status: 200, text: 'A page of sources', schema: listAnswer } }, async (req, res) => {
    const page = paging.parse(req.query);
    const { items, total } = await listSources(db, page);
    res.json(pageAnswer(items.map(toSource), total, page));
  }),

  serve(
    { method: 'post', path: '/data-sources', tag, who: 'operator', summary: 'Create a data source', body: newSource, answer: { status: 201, text: 'Created', schema: anyAnswer }, errors: [409, 422] },
    async (req, res, caller) => {
      const body = newSource.parse(req.body);
      await requireInstance(db, body.default_mailwizz_instance);
      await db.transaction(async (tx) => {
        const made = await insertSource(tx, {
          sourceId: body.source_id,
          sourceType: body.source_type,
          name: body.name,
          description: body.description ?? null,
          config: body.config ?? {},
          defaultMailwizzInstance: body.default_mailwizz_instance ?? null,
          defaultListMapping: body.default_list_mapping ?? {},
        });
        if (!made) throw new EngineError('conflict', 'source exists', { publicMessage: `Data source ${body.source_id} exists already.` });
        await recordAudit(tx, { actor: actorOf(caller), action: 'data_source.created', entity: body.source_id });
      });
      res.status(201).location(`/api/v1/data-sources/${encodeURIComponent(body.source_id)}`).json(toSource(await get(db, body.source_id)));
    },
  ),

  serve({ method: 'get', path: '/data-sources/{source_id}', tag, who: 'operator', summary: 'One data source with its figures', answer: { status: 200, text: 'The source', schema: anyAnswer }, errors: [404] }, async (req, res) => {
    const source = await get(db, textParam(req, 'source_id'));
    const stats = await sumSource(db, source.sourceId);
    res.json({ ...toSource(source), stats: { ...stats, waiting: waitingOf(stats) } });
  }),

  serve(
    { method: 'patch', path: '/data-sources/{source_id}', tag, who: 'operator', summary: 'Change a data source', body: sourceChanges, answer: { status: 200, text: 'The source as it is now', schema: anyAnswer }, errors: [404, 422] },
    async (req, res, caller) => {
      const body = sourceChanges.parse(req.body);
      await requireInstance(db, body.default_mailwizz_instance);
      res.json(toSource(await change(db, textParam(req, 'source_id'), toChanges(body), 'data_source.changed', actorOf(caller))));
    },
  ),

  serve({ method: 'delete', path: '/data-sources/{source_id}', tag, who: 'operator', summary: 'Deactivate a data source', answer: { status: 204, text: 'It takes no more contacts; what it gave stays' }, errors: [404] }, async (req, res, caller) => {
    await change(db, textParam(req, 'source_id'), { isActive: false }, 'data_source.deactivated', actorOf(caller));
    res.status(204).end();
  }),

  serve(
    { method: 'post', path: '/data-sources/{source_id}/keys', tag, who: 'operator', summary: 'Create a key of a data source', body: newKey, answer: { status: 201, text: 'The key, shown this once', schema: anyAnswer }, errors: [404, 422] },
    async (req, res, caller) => {
      const body = newKey.parse(req.body);
      const source = await get(db, textParam(req, 'source_id'));
      const { text, parsed } = makeApiKey('src');
      await db.transaction(async (tx) => {
        await insertKey(tx, { ...parsed, name: body.name, sourceId: source.sourceId, expiresAt: body.expires_at === undefined ? null : new Date(body.expires_at) });
        await recordAudit(tx, { actor: actorOf(caller), action: 'key.created', entity: source.sourceId, details: { key_id: parsed.keyId } });
      });
      res.status(201).json({ key_id: parsed.keyId, name: body.name, source_id: source.sourceId, key: text });
    },
  ),

  serve({ method: 'get', path: '/data-sources/{source_id}/keys', tag, who: 'operator', summary: 'List the keys of a data source', answer: { status: 200, text: 'Its keys, without their secrets', schema: anyAnswer }, errors: [404] }, async (req, res) => {
    const { sourceId } = await get(db, textParam(req, 'source_id'));
    const keys = await listKeys(db, sourceId);
    res.json({ items: keys.map((key) => ({ key_id: key.keyId, name: key.name, created_at: key.createdAt, last_used_at: key.lastUsedAt, expires_at: key.expiresAt, revoked_at: key.revokedAt })) });
  }),

  serve({ method: 'delete', path: '/data-sources/{source_id}/keys/{key_id}', tag, who: 'operator', summary: 'Revoke a key', answer: { status: 204, text: 'It works no more' }, errors: [404] }, async (req, res, caller) => {
    const key = { sourceId: textParam(req, 'source_id'), keyId: textParam(req, 'key_id') };
    await db.transaction(async (tx) => {
      if (!(await revokeKey(tx, key))) throw new EngineError('notFound', 'no key', { publicMessage: `${key.sourceId} has no live key ${key.keyId}.` });
      await recordAudit(tx, { actor: actorOf(caller), action: 'key.revoked', entity: key.sourceId, details: { key_id: key.keyId } });
    });
    res.status(204).end();
  }),
];

async function get(db: Db, sourceId: string): Promise<DataSource> {
  const found = await findSource(db, sourceId);
  if (!found) throw notFound(sourceId);
  return found;
}

async function requireInstance(db: Db, instanceId: string | null | undefined): Promise<void> {
  if (instanceId === null || instanceId === undefined || (await findInstance(db, instanceId))) return;
  const message = `There is no MailWizz instance ${instanceId}.`;
  throw new EngineError('invalid', 'unknown instance', { publicMessage: message, fields: [{ field: 'default_mailwizz_instance', reason: 'unknown_instance', message }] });
}

function change(db: Db, sourceId: string, changes: Parameters<typeof updateSource>[2], action: string, actor: string): Promise<DataSource> {
  return db.transaction(async (tx) => {
    const changed = await updateSource(tx, sourceId, changes);
    if (!changed) throw notFound(sourceId);
    await recordAudit(tx, { actor, action, entity: sourceId, details: { fields: Object.keys(changes) } });
    return changed;
  });
}

function toChanges(body: ReturnType<typeof sourceChanges.parse>): Parameters<typeof updateSource>[2] {
  return {
    ...(body.name !== undefined && { name: body.name }),
    ...(body.description !== undefined && { description: body.description }),
    ...(body.config !== undefined && { config: body.config }),
    ...(body.is_active !== undefined && { isActive: body.is_active }),
    ...(body.default_mailwizz_instance !== undefined && { defaultMailwizzInstance: body.default_mailwizz_instance }),
    ...(body.default_list_mapping !== undefined && { defaultListMapping: body.default_list_mapping ?? {} }),
  };
}

const toSource = (source: DataSource) => ({
  source_id: source.sourceId,
  source_type: source.sourceType,
  name: source.name,
  description: source.description,
  config: source.config,
  is_active: source.isActive,
  default_mailwizz_instance: source.defaultMailwizzInstance,
  default_list_mapping: source.defaultListMapping,
  total_contacts_received: source.totalContactsReceived,
  total_contacts_validated: source.totalContactsValidated,
  total_contacts_injected: source.totalContactsInjected,
  last_sync_at: source.lastSyncAt,
  created_at: source.createdAt,
  updated_at: source.updatedAt,
});
