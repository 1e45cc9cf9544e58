import type { Db } from '../../db/client';
import { insertKey, listWebhookKeys, revokeWebhookKey, type StoredKey } from '../../db/queries/api-keys';
import { recordAudit } from '../../db/queries/audit';
import { findInstance } from '../../db/queries/instances';
import { EngineError } from '../domain/errors';
import { anyAnswer } from '../schemas/answers';
import { newWebhookKey } from '../schemas/requests';
import { actorOf } from './auth';
import { makeApiKey } from './keys';
import { serve, textParam } from './operations';

const tag = 'webhooks';

export const createWebhookKeyRoutes = ({ db }: { db: Db }) => [
  serve(
    {
      method: 'post', path: '/webhook-keys', tag, who: 'operator', summary: 'Create a key for who reports events',
      description: 'With `instance_id`: for that MailWizz. Without: for PowerMTA, which sends for all instances. The key and the addresses that hold it are shown once; two keys at a time make a change without a gap.',
      body: newWebhookKey, answer: { status: 201, text: 'The key, shown this once', schema: anyAnswer }, errors: [422],
    },
    async (req, res, caller) => {
      const body = newWebhookKey.parse(req.body);
      if (body.instance_id !== undefined && !(await findInstance(db, body.instance_id))) {
        const message = `There is no instance ${body.instance_id}.`;
        throw new EngineError('invalid', 'no instance', { publicMessage: message, fields: [{ field: 'instance_id', reason: 'unknown_instance', message }] });
      }
      const { text, parsed } = makeApiKey('whk');
      await db.transaction(async (tx) => {
        await insertKey(tx, { ...parsed, name: body.name, instanceId: body.instance_id ?? null, expiresAt: body.expires_at === undefined ? null : new Date(body.expires_at) });
        await recordAudit(tx, { actor: actorOf(caller), action: 'webhook_key.created', entity: `key:${parsed.keyId}`, details: { instance_id: body.instance_id ?? null } });
      });
      const addresses = body.instance_id === undefined ? { pmta: `/webhooks/pmta/${text}` } : { native: `/webhooks/mailwizz/${text}`, events: `/webhooks/mailwizz/${text}/email-opened` };
      res.status(201).json({ key_id: parsed.keyId, key: text, instance_id: body.instance_id ?? null, addresses });
    },
  ),

  serve({ method: 'get', path: '/webhook-keys', tag, who: 'operator', summary: 'List webhook keys', answer: { status: 200, text: 'The keys, without their secrets', schema: anyAnswer } }, async (_req, res) => {
    res.json({ items: (await listWebhookKeys(db)).map(toKey) });
  }),

  serve({ method: 'delete', path: '/webhook-keys/{key_id}', tag, who: 'operator', summary: 'Revoke a webhook key', answer: { status: 204, text: 'It opens nothing any more, within a second' }, errors: [404] }, async (req, res, caller) => {
    const keyId = textParam(req, 'key_id');
    await db.transaction(async (tx) => {
      if (!(await revokeWebhookKey(tx, keyId))) throw new EngineError('notFound', 'no key', { publicMessage: 'There is no such live webhook key.' });
      await recordAudit(tx, { actor: actorOf(caller), action: 'webhook_key.revoked', entity: `key:${keyId}` });
    });
    res.status(204).end();
  }),
];

const toKey = (key: StoredKey) => ({
  key_id: key.keyId,
  name: key.name,
  instance_id: key.instanceId,
  created_at: key.createdAt,
  last_used_at: key.lastUsedAt,
  expires_at: key.expiresAt,
  revoked_at: key.revokedAt,
});
