import { once } from 'node:events';
import type { Response } from 'express';
import type { Db, DbHandle } from '../../db/client';
import { recordAudit } from '../../db/queries/audit';
import { previewAudience } from '../../db/queries/campaign-audience';
import { countReasons, listLegs, listRecipients } from '../../db/queries/campaign-legs';
import { archiveCampaign, type Campaign, findCampaign, getCampaign, insertCampaign, listCampaigns, listVariants, replaceVariants, updateCampaign } from '../../db/queries/campaigns';
import { findSource } from '../../db/queries/data-sources';
import { findTemplate } from '../../db/queries/email-templates';
import { findInstance } from '../../db/queries/instances';
import type { RecipientOutcome } from '../domain/campaign';
import { toMailHead } from '../domain/campaign-content';
import { EngineError } from '../domain/errors';
import { anyAnswer, listAnswer } from '../schemas/answers';
import { archiveOrder, audienceQuery, campaignChanges, campaignFilter, choice, cloneOrder, compareQuery, newCampaign, newTime, recipientFilter } from '../schemas/campaigns';
import { actorOf } from './auth';
import { findWait } from './campaign-waits';
import { toCampaign, toColumns, toCopy, toDetails, toTime, toVariants } from './campaign-shapes';
import type { CampaignOrders, Order } from './campaign-orders';
import { toCsvLine } from './csv';
import { numberParam, pageAnswer, type Served, serve } from './operations';

const tag = 'campaigns';
const csvPage = 1_000;
const one = { status: 200, text: 'The campaign as it is now', schema: anyAnswer };

export function createCampaignRoutes({ db, orders }: { db: Db; orders: CampaignOrders }): Served[] {
  return [
    serve({ method: 'get', path: '/campaigns', tag, who: 'operator', summary: 'List campaigns, newest first', query: campaignFilter, answer: { status: 200, text: 'A page of campaigns', schema: listAnswer } }, async (req, res) => {
      const filter = campaignFilter.parse(req.query);
      const { items, total } = await listCampaigns(db, { status: filter.status, sourceId: filter.source_id, instanceId: filter.mailwizz_instance, q: filter.q, archived: filter.archived === 'true', page: filter.page, limit: filter.limit });
      res.json(pageAnswer(items.map(toCampaign), total, filter));
    }),

    serve(
      {
        method: 'post', path: '/campaigns', tag, who: 'operator', summary: 'Create a campaign', body: newCampaign,
        description: 'As a draft; with a time (scheduled_at, or scheduled_local with time_zone) and all it needs it is scheduled, else `problems` says what it lacks. `audience` counts whom it would reach today.',
        answer: { status: 201, text: 'Created', schema: anyAnswer }, errors: [422],
      },
      async (req, res, caller) => {
        const body = newCampaign.parse(req.body);
        await requireKnown(db, body);
        const made = await db.transaction(async (tx) => {
          const inserted = await insertCampaign(tx, { ...toColumns(body), name: body.name, mailwizzInstance: body.mailwizz_instance, mailwizzListId: body.mailwizz_list_id }, toVariants(body.ab_test));
          await recordAudit(tx, { actor: actorOf(caller), action: 'campaign.created', entity: entityOf(inserted.id) });
          return inserted;
        });
        await orders.start(made);
        const problems = await findLacks(made);
        const at = toTime(body);
        // Not reached: the campaign is there as a draft, and the answer says so.
        const scheduled = at !== undefined && problems.length === 0 ? await orders.order(made.id, toReschedule(at.atMs)).catch(() => undefined) : undefined;
        const row = scheduled && at ? await keepLocal(scheduled, at) : made;
        const { audience } = await previewAudience(db, row, 0);
        res.status(201).location(`/api/v1/campaigns/${made.id}`).json({ campaign_id: made.id, ...toCampaign(row), audience, problems });
      },
    ),

    serve({ method: 'get', path: '/campaigns/compare', tag, who: 'operator', summary: 'Campaigns side by side', query: compareQuery, answer: { status: 200, text: 'Their figures', schema: anyAnswer } }, async (req, res) => {
      const ids = [...new Set(compareQuery.parse(req.query).ids.split(',').map(Number))];
      const items = [];
      for (const id of ids) {
        const row = await findCampaign(db, id);
        if (row) items.push(toCampaign(row));
      }
      res.json({ items });
    }),

    serve({ method: 'get', path: '/campaigns/{campaign_id}', tag, who: 'operator', summary: 'One campaign with its live statistics', description: '`waits_for` says what keeps it from sending though nobody stopped it: its `send_window`, or `caps`, and until when at the earliest.', answer: { ...one, text: 'The campaign, its legs, variants and reasons' }, errors: [404] }, async (req, res) => {
      const row = await getCampaign(db, numberParam(req, 'campaign_id'));
      res.json(toDetails(row, { waitsFor: await findWait(db, row, Date.now()), legs: await listLegs(db, row.id), variants: await listVariants(db, row.id), reasons: await countReasons(db, row.id) }));
    }),

    serve(
      { method: 'patch', path: '/campaigns/{campaign_id}', tag, who: 'operator', summary: 'Change a campaign before its start', body: campaignChanges, description: 'Content and time; 409 once it has started. A draft that is given a time is scheduled.', answer: one, errors: [404, 409, 422] },
      async (req, res, caller) => {
        const id = numberParam(req, 'campaign_id');
        const body = campaignChanges.parse(req.body);
        await requireKnown(db, body);
        await getCampaign(db, id);
        const at = toTime(body);
        const changed = await db.transaction(async (tx) => {
          const updated = await updateCampaign(tx, id, toColumns(body));
          if (!updated) throw new EngineError('conflict', 'has started', { publicMessage: 'The campaign has started: its time and content are fixed.' });
          if (body.ab_test !== undefined) await replaceVariants(tx, id, toVariants(body.ab_test));
          await recordAudit(tx, { actor: actorOf(caller), action: 'campaign.changed', entity: entityOf(id), details: { fields: Object.keys(body) } });
          return updated;
        });
        const told = await orders.order(id, { order: 'change', revision: changed.revision });
        if (!at) return void res.json(toCampaign(told));
        await refuseLacks(told);
        res.json(toCampaign(await keepLocal(await orders.order(id, toReschedule(at.atMs)), at)));
      },
    ),

    orderRoute('launch', 'Launch now, whatever its time', () => ({ order: 'launch', atMs: Date.now() })),
    orderRoute('pause', 'Pause a scheduled or running campaign', () => ({ order: 'pause' })),
    orderRoute('resume', 'Resume a paused campaign', () => ({ order: 'resume' })),
    orderRoute('cancel', 'Cancel a campaign', () => ({ order: 'cancel' })),
    serve({ method: 'delete', path: '/campaigns/{campaign_id}', tag, who: 'operator', summary: 'Cancel a campaign; its row stays', answer: one, errors: [404, 409, 503] }, async (req, res, caller) => {
      res.json(toCampaign(await give(numberParam(req, 'campaign_id'), { order: 'cancel' }, actorOf(caller))));
    }),

    serve({ method: 'post', path: '/campaigns/{campaign_id}/reschedule', tag, who: 'operator', summary: 'Give it another time', body: newTime, answer: one, errors: [404, 409, 422, 503] }, async (req, res, caller) => {
      const at = toTime(newTime.parse(req.body));
      if (!at) throw new EngineError('invalid', 'no time', { publicMessage: 'scheduled_at is missing.' });
      const id = numberParam(req, 'campaign_id');
      await refuseLacks(await getCampaign(db, id));
      res.json(toCampaign(await keepLocal(await give(id, toReschedule(at.atMs), actorOf(caller)), at)));
    }),

    serve({ method: 'post', path: '/campaigns/{campaign_id}/choose', tag, who: 'operator', summary: 'Choose the variant that goes to the rest', body: choice, answer: one, errors: [404, 409, 503] }, async (req, res, caller) => {
      const id = numberParam(req, 'campaign_id');
      const { variant } = choice.parse(req.body);
      const row = await orders.choose(id, variant);
      await recordAudit(db, { actor: actorOf(caller), action: 'campaign.choose', entity: entityOf(id), details: { variant } });
      res.json(toCampaign(row));
    }),

    serve(
      { method: 'get', path: '/campaigns/{campaign_id}/audience', tag, who: 'operator', summary: 'Whom it would reach today, and who is left out why', query: audienceQuery, answer: { status: 200, text: 'Count, sample, reasons', schema: anyAnswer }, errors: [404] },
      async (req, res) => {
        const row = await getCampaign(db, numberParam(req, 'campaign_id'));
        const { audience, sample, leftOut } = await previewAudience(db, row, audienceQuery.parse(req.query).sample);
        res.json({ campaign_id: row.id, audience, sample: sample.map(({ id, email, country_code, bucket }) => ({ contact_id: id, email, country_code, bucket })), left_out: leftOut.map(({ reason, contacts, sample: some }) => ({ reason, contacts, sample_contact_ids: some })) });
      },
    ),

    serve(
      { method: 'get', path: '/campaigns/{campaign_id}/recipients', tag, who: 'operator', summary: 'Its recipients and what became of them', query: recipientFilter, description: '`after` is the last contact read, `next` the one to send. As CSV with Accept: text/csv or format=csv, whole.', answer: { status: 200, text: 'Recipients', schema: anyAnswer }, errors: [404] },
      async (req, res) => {
        const filter = recipientFilter.parse(req.query);
        const { id } = await getCampaign(db, numberParam(req, 'campaign_id'));
        if (filter.format === 'csv' || (filter.format === undefined && req.accepts(['json', 'text/csv']) === 'text/csv')) return sendCsv(res, id, filter.outcome);
        const items = await listRecipients(db, { campaignId: id, outcome: filter.outcome, afterId: filter.after, limit: filter.limit });
        res.json({ items, next: items.length === filter.limit ? (items.at(-1)?.contact_id ?? null) : null });
      },
    ),

    serve({ method: 'post', path: '/campaigns/{campaign_id}/clone', tag, who: 'operator', summary: 'A new draft with the same content', body: cloneOrder, answer: { status: 201, text: 'The new campaign', schema: anyAnswer }, errors: [404] }, async (req, res, caller) => {
      const row = await getCampaign(db, numberParam(req, 'campaign_id'));
      const { name = `${row.name} (copy)`.slice(0, 255) } = cloneOrder.parse(req.body);
      const variants = await listVariants(db, row.id);
      const made = await db.transaction(async (tx) => {
        const inserted = await insertCampaign(tx, toCopy(row, name), variants.map(({ key, subjectLine, fromName, emailTemplateId, share }) => ({ key, subjectLine, fromName, emailTemplateId, share })));
        await recordAudit(tx, { actor: actorOf(caller), action: 'campaign.cloned', entity: entityOf(inserted.id), details: { from: row.id } });
        return inserted;
      });
      await orders.start(made);
      res.status(201).location(`/api/v1/campaigns/${made.id}`).json({ campaign_id: made.id, ...toCampaign(made) });
    }),

    serve({ method: 'post', path: '/campaigns/{campaign_id}/archive', tag, who: 'operator', summary: 'Out of the usual lists, or back (archived: false)', body: archiveOrder, answer: one, errors: [404, 409] }, async (req, res, caller) => {
      const { id, status } = await getCampaign(db, numberParam(req, 'campaign_id'));
      const { archived } = archiveOrder.parse(req.body);
      if (archived && status !== 'completed' && status !== 'cancelled') throw new EngineError('conflict', 'not over', { publicMessage: 'Only a campaign that is over can be archived.' });
      await archiveCampaign(db, id, archived);
      await recordAudit(db, { actor: actorOf(caller), action: archived ? 'campaign.archived' : 'campaign.unarchived', entity: entityOf(id) });
      res.json(toCampaign(await getCampaign(db, id)));
    }),
  ];

  function orderRoute(name: 'launch' | 'pause' | 'resume' | 'cancel', summary: string, toOrder: () => Order): Served {
    return serve({ method: 'post', path: `/campaigns/{campaign_id}/${name}`, tag, who: 'operator', summary, description: 'Safe to repeat. 409 with the reason where its state does not allow it.', answer: one, errors: [404, 409, 503] }, async (req, res, caller) => {
      const id = numberParam(req, 'campaign_id');
      if (name === 'launch') await refuseLacks(await getCampaign(db, id));
      res.json(toCampaign(await give(id, toOrder(), actorOf(caller))));
    });
  }

  async function give(id: number, order: Order, actor: string): Promise<Campaign> {
    const row = await orders.order(id, order);
    await recordAudit(db, { actor, action: `campaign.${order.order}`, entity: entityOf(id) });
    return row;
  }

  /** The words of the operator beside the instant they stand for. */
  async function keepLocal(row: Campaign, { local, zone }: NonNullable<ReturnType<typeof toTime>>): Promise<Campaign> {
    if (local === undefined || zone === undefined) return row;
    await updateCampaign(db, row.id, { scheduledLocal: local, scheduleZone: zone, revision: row.revision });
    return { ...row, scheduledLocal: local, scheduleZone: zone };
  }

  async function refuseLacks(row: Campaign): Promise<void> {
    const [first, ...others] = await findLacks(row);
    if (first !== undefined) throw new EngineError('conflict', 'not ready', { publicMessage: [first, ...others].join(' ') });
  }

  /** What a campaign needs before it has a time; everything else is looked at when it is due. */
  async function findLacks(row: Campaign): Promise<string[]> {
    const instance = await findInstance(db, row.mailwizzInstance);
    const head = toMailHead({ campaign: row, variant: undefined, template: undefined, instance: { fromName: instance?.defaultFromName ?? null, fromEmail: instance?.defaultFromEmail ?? null } });
    return [
      ...(row.emailTemplateId === null ? ['It has no e-mail template.'] : []),
      ...(head.fromEmail === null || head.fromName === null ? ['It has no sender (from_name, from_email), and the instance has no default one.'] : []),
    ];
  }

  async function sendCsv(res: Response, campaignId: number, outcome: RecipientOutcome | undefined): Promise<void> {
    res.type('text/csv').set('Content-Disposition', `attachment; filename="campaign-${campaignId}-recipients.csv"`).write(toCsvLine(['contact_id', 'email', 'outcome', 'reason', 'variant', 'country_code', 'updated_at']));
    for (let afterId = 0; ; ) {
      const rows = await listRecipients(db, { campaignId, outcome, afterId, limit: csvPage });
      const text = rows.map((row) => toCsvLine([row.contact_id, row.email, row.outcome, row.reason, row.variant, row.country_code, row.updated_at])).join('');
      if (text !== '' && !res.write(text)) await Promise.race([once(res, 'drain'), once(res, 'close')]);
      const last = rows.at(-1);
      if (!last || rows.length < csvPage || res.destroyed) break;
      afterId = last.contact_id;
    }
    res.end();
  }
}

const entityOf = (id: number) => `campaign:${id}`;
const toReschedule = (atMs: number): Order => ({ order: 'reschedule', at: new Date(atMs).toISOString(), scheduledAtMs: atMs });

type Named = { mailwizz_instance?: string; source_id?: string | null | undefined; email_template_id?: number | null | undefined; ab_test?: { variants: { email_template_id?: number | undefined }[] } | null | undefined };

/** Everything that a campaign names must be there. */
async function requireKnown(db: DbHandle, body: Named): Promise<void> {
  if (body.mailwizz_instance !== undefined && !(await findInstance(db, body.mailwizz_instance))) throw unknown('mailwizz_instance', `There is no MailWizz instance ${body.mailwizz_instance}.`);
  if (body.source_id != null && !(await findSource(db, body.source_id))) throw unknown('source_id', `There is no data source ${body.source_id}.`);
  const templates = [['email_template_id', body.email_template_id] as const, ...(body.ab_test?.variants ?? []).map(({ email_template_id: id }, index) => [`ab_test.variants.${index}.email_template_id`, id] as const)];
  for (const [field, id] of templates) if (id != null && !(await findTemplate(db, id))) throw unknown(field, `There is no e-mail template ${id}.`);
}

const unknown = (field: string, message: string) => new EngineError('invalid', 'unknown reference', { publicMessage: message, fields: [{ field, reason: 'unknown', message }] });
