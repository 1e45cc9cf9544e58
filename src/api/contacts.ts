import type { Db } from '../../db/client';
import { recordAudit } from '../../db/queries/audit';
import { type Contact, findContact, findHistory, listContacts, updateContact } from '../../db/queries/contact-reads';
import { EngineError } from '../domain/errors';
import { anyAnswer, listAnswer } from '../schemas/answers';
import { contactChanges, contactFilter } from '../schemas/requests';
import { actorOf } from './auth';
import type { ContactActions } from './contact-actions';
import { numberParam, pageAnswer, serve } from './operations';

const tag = 'contacts';
const notFound = (id: number) => new EngineError('notFound', 'no contact', { publicMessage: `There is no contact ${id}.` });

export const createContactRoutes = ({ db, actions }: { db: Db; actions: ContactActions }) => [
  serve(
    {
      method: 'get', path: '/contacts', tag, who: 'operator', summary: 'List contacts, newest first', query: contactFilter,
      description: '`source_id` is the source that gave the contact first; `q` looks in address, company and name. `total` stops at 100,000. `cursor` (the last id read) reads deep lists.',
      answer: { status: 200, text: 'A page of contacts', schema: listAnswer },
    },
    async (req, res) => {
      const filter = contactFilter.parse(req.query);
      const { items, total } = await listContacts(db, {
        sourceId: filter.source_id, status: filter.status, category: filter.category, instanceId: filter.mailwizz_instance, batchId: filter.batch_id, q: filter.q,
        page: filter.page, limit: filter.limit, beforeId: filter.cursor,
      });
      const cursor = items.length === filter.limit ? (items.at(-1)?.id ?? null) : null;
      res.json({ ...pageAnswer(items.map(toContact), total, filter), cursor });
    },
  ),

  serve({ method: 'get', path: '/contacts/{contact_id}', tag, who: 'operator', summary: 'One contact with events, sightings and injections', answer: { status: 200, text: 'The contact', schema: anyAnswer }, errors: [404] }, async (req, res) => {
    const id = numberParam(req, 'contact_id');
    const contact = await findContact(db, id);
    if (!contact) throw notFound(id);
    const { events, sightings, injections, suppression } = await findHistory(db, contact);
    res.json({
      ...toContact(contact),
      raw_data: contact.rawData,
      email_validation_result: contact.emailValidationResult,
      injection_result: contact.injectionResult,
      events: events.map((event) => ({ event_type: event.eventType, timestamp: event.timestamp, source: event.source, campaign_id: event.campaignId, event_data: event.eventData })),
      sightings: sightings.map(({ row_number, ...sighting }) => ({ ...sighting, row: row_number })),
      injections: injections.map((placed) => ({
        instance_id: placed.instanceId, list_id: placed.listId, state: placed.state, method: placed.method, rule: placed.rule, attempt: placed.attempt, subscriber_uid: placed.subscriberUid, reason: placed.reason, batch_id: placed.batchId, updated_at: placed.updatedAt,
      })),
      suppression: suppression === undefined ? null : { reason: suppression.reason, origin: suppression.origin, created_at: suppression.createdAt },
    });
  }),

  serve(
    { method: 'patch', path: '/contacts/{contact_id}', tag, who: 'operator', summary: 'Change a contact by hand', body: contactChanges, answer: { status: 200, text: 'The contact as it is now', schema: anyAnswer }, errors: [404, 422] },
    async (req, res, caller) => {
      const id = numberParam(req, 'contact_id');
      const body = contactChanges.parse(req.body);
      res.json(toContact(await change(db, id, toChanges(body), 'contact.changed', actorOf(caller))));
    },
  ),

  serve({ method: 'delete', path: '/contacts/{contact_id}', tag, who: 'operator', summary: 'Delete a contact', description: 'Soft: it is kept, is not injected any more, and no source revives it.', answer: { status: 204, text: 'Deleted' }, errors: [404] }, async (req, res, caller) => {
    await change(db, numberParam(req, 'contact_id'), { deletedAt: new Date() }, 'contact.deleted', actorOf(caller));
    res.status(204).end();
  }),

  serve({ method: 'post', path: '/contacts/{contact_id}/validate', tag, who: 'operator', summary: 'Verify the address now', description: 'Skips the wait, not the rules.', answer: { status: 202, text: 'A workflow does it', schema: anyAnswer }, errors: [404, 409] }, async (req, res, caller) => {
    const id = numberParam(req, 'contact_id');
    const { workflowId } = await actions.validate(id);
    await recordAudit(db, { actor: actorOf(caller), action: 'contact.validate', entity: `contact:${id}` });
    res.status(202).location(`/api/v1/contacts/${id}`).json({ contact_id: id, workflow_id: workflowId });
  }),

  serve({ method: 'post', path: '/contacts/{contact_id}/inject', tag, who: 'operator', summary: 'Inject into MailWizz now', description: 'Skips the wait, not the rules: 409 for a suppressed, deleted or invalid contact.', answer: { status: 202, text: 'A workflow does it', schema: anyAnswer }, errors: [404, 409] }, async (req, res, caller) => {
    const id = numberParam(req, 'contact_id');
    const { workflowId } = await actions.inject(id);
    await recordAudit(db, { actor: actorOf(caller), action: 'contact.inject', entity: `contact:${id}` });
    res.status(202).location(`/api/v1/contacts/${id}`).json({ contact_id: id, workflow_id: workflowId });
  }),
];

function change(db: Db, id: number, changes: Parameters<typeof updateContact>[2], action: string, actor: string): Promise<Contact> {
  return db.transaction(async (tx) => {
    const changed = await updateContact(tx, id, changes);
    if (!changed) throw notFound(id);
    await recordAudit(tx, { actor, action, entity: `contact:${id}`, details: { fields: Object.keys(changes) } });
    return changed;
  });
}

function toChanges(body: ReturnType<typeof contactChanges.parse>): Parameters<typeof updateContact>[2] {
  return {
    ...(body.first_name !== undefined && { firstName: body.first_name }),
    ...(body.last_name !== undefined && { lastName: body.last_name }),
    ...(body.company !== undefined && { company: body.company }),
    ...(body.phone !== undefined && { phone: body.phone }),
    ...(body.website !== undefined && { website: body.website }),
    ...(body.country_code !== undefined && { countryCode: body.country_code }),
    ...(body.language !== undefined && { language: body.language }),
    ...(body.category !== undefined && { category: body.category, categoryRule: null }),
    ...(body.tags !== undefined && { tags: [...new Set(body.tags)] }),
    ...(body.social_links !== undefined && { socialLinks: body.social_links }),
    ...(body.score !== undefined && { score: body.score }),
  };
}

const toContact = (contact: Contact) => ({
  id: contact.id,
  email: contact.email,
  first_name: contact.firstName,
  last_name: contact.lastName,
  company: contact.company,
  phone: contact.phone,
  website: contact.website,
  country_code: contact.countryCode,
  language: contact.language,
  social_links: contact.socialLinks,
  source_id: contact.sourceId,
  import_batch_id: contact.importBatchId,
  email_valid: contact.emailValid,
  category: contact.category,
  category_rule: contact.categoryRule,
  tags: contact.tags,
  score: contact.score,
  mailwizz_instance: contact.mailwizzInstance,
  mailwizz_list_id: contact.mailwizzListId,
  routing_rule: contact.routingRule,
  status: contact.status,
  status_changed_at: contact.statusChangedAt,
  mailwizz_subscriber_uid: contact.mailwizzSubscriberUid,
  injected_at: contact.injectedAt,
  created_at: contact.createdAt,
  updated_at: contact.updatedAt,
  deleted_at: contact.deletedAt,
});
