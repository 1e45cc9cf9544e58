import type { Db } from '../../db/client';
import { recordAudit } from '../../db/queries/audit';
import { countUnmatched } from '../../db/queries/unmatched-events';
import { findQuarantined, listQuarantined, type Quarantined, type QuarantinedFacts, recordReplay } from '../../db/queries/webhook-quarantine';
import { EngineError } from '../domain/errors';
import { anyAnswer, listAnswer } from '../schemas/answers';
import { quarantineFilter } from '../schemas/requests';
import { actorOf } from './auth';
import type { EventIntake } from './event-intake';
import { numberParam, pageAnswer, serve } from './operations';
import { createReader } from './webhook-door';

const tag = 'webhooks';

/** What came from a known sender and could not be read, and what was read and is about nobody we know yet. */
export function createQuarantineRoutes({ db, intake, now }: { db: Db; intake: EventIntake; now: () => number }) {
  const readEvents = createReader({ db, now });
  const get = async (id: number): Promise<Quarantined> => {
    const found = await findQuarantined(db, id);
    if (!found) throw new EngineError('notFound', 'no quarantined report', { publicMessage: `There is no quarantined report ${id}.` });
    return found;
  };

  return [
    serve(
      { method: 'get', path: '/webhook-quarantine', tag, who: 'operator', summary: 'List reports that could not be read, newest first', description: 'Those that wait; `state=all` shows replayed ones too.', query: quarantineFilter, answer: { status: 200, text: 'A page, without the bodies', schema: listAnswer } },
      async (req, res) => {
        const filter = quarantineFilter.parse(req.query);
        const { items, total } = await listQuarantined(db, { waitingOnly: filter.state === 'waiting', page: filter.page, limit: filter.limit });
        res.json(pageAnswer(items.map(toFacts), total, filter));
      },
    ),

    serve({ method: 'get', path: '/webhook-quarantine/{quarantine_id}', tag, who: 'operator', summary: 'One of them with its body', answer: { status: 200, text: '`body` as text, `body_base64` as the bytes that came', schema: anyAnswer }, errors: [404] }, async (req, res) => {
      const { body, ...found } = await get(numberParam(req, 'quarantine_id'));
      res.json({ ...toFacts({ ...found, bytes: body.length }), body: body.toString('utf8'), body_base64: body.toString('base64') });
    }),

    serve(
      { method: 'post', path: '/webhook-quarantine/{quarantine_id}/replay', tag, who: 'operator', summary: 'Read it again', description: 'After a rule or a version has changed. What was stored before counts once.', answer: { status: 200, text: 'How many events it held', schema: anyAnswer }, errors: [404, 409] },
      async (req, res, caller) => {
        const found = await get(numberParam(req, 'quarantine_id'));
        const read = await readEvents({ endpoint: found.endpoint, contentType: found.contentType ?? '', bytes: found.body, instanceId: found.instanceId });
        if (read.bad.length > 0) throw new EngineError('conflict', 'still unreadable', { publicMessage: `It still cannot be read: ${read.bad[0]?.reason ?? ''}.` });
        if (read.events.length > 0) await intake.accept(read.events);
        await db.transaction(async (tx) => {
          await recordReplay(tx, found.id);
          await recordAudit(tx, { actor: actorOf(caller), action: 'webhook.replayed', entity: `webhook-quarantine:${found.id}` });
        });
        res.json({ accepted: read.events.length, passed_over: read.passed });
      },
    ),

    serve(
      { method: 'get', path: '/unmatched-events', tag, who: 'operator', summary: 'Events whose contact or campaign is not known yet', description: 'Per campaign, the most first. A campaign that somebody runs in MailWizz without us shows here.', answer: { status: 200, text: 'Counts per campaign', schema: anyAnswer } },
      async (_req, res) => {
        res.json({ items: await countUnmatched(db) });
      },
    ),
  ];
}

const toFacts = (found: QuarantinedFacts) => ({
  id: found.id,
  instance_id: found.instanceId,
  endpoint: found.endpoint,
  content_type: found.contentType,
  reason: found.reason,
  bytes: found.bytes,
  received_at: found.receivedAt,
  replayed_at: found.replayedAt,
});
