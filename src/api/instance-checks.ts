import type { Client } from '@temporalio/client';
import type { Db } from '../../db/client';
import { recordAudit } from '../../db/queries/audit';
import { findInstance, listLists } from '../../db/queries/instances';
import { listMissing, listReconciliations, type Reconciliation } from '../../db/queries/reconciliations';
import type { CreatedFields } from '../adapters/mailwizz/create-fields';
import type { InstanceReport } from '../adapters/mailwizz/report';
import { instanceQueue } from '../domain/injection';
import { reconcileWorkflowId } from '../domain/batch';
import { EngineError } from '../domain/errors';
import { anyAnswer } from '../schemas/answers';
import { fieldsOrder, missingQuery, reconciliationsQuery } from '../schemas/requests';
import type * as workflows from '../workflows';
import { actorOf } from './auth';
import { serve, textParam } from './operations';

/** The explicit tests of a connection: the only foreign calls inside a request. */
export type InstanceChecks = {
  inspect: (instanceId: string) => Promise<InstanceReport>;
  createFields: (instanceId: string, listUid: string, tags: string[]) => Promise<CreatedFields>;
  /** Reads lists, fields and counts anew and keeps them. */
  syncLists: (instanceId: string) => Promise<void>;
};
type Deps = { db: Db; checks: InstanceChecks; client: Client; taskQueue: string };

const tag = 'MailWizz instances';
const startWithinMs = 5_000;

export function createInstanceCheckRoutes({ db, checks, client, taskQueue }: Deps) {
  return [
  serve(
    {
      method: 'post', path: '/mailwizz-instances/{instance_id}/test', tag, who: 'operator', summary: 'Test the connections of an instance, part by part',
      description: 'Changes nothing there. Each part says `good`, `warn`, `bad` or `skipped`, with a code and in words: API, key, version, lists, fields we lack, bulk calls, clocks, MySQL, schema, rights, character set, list numbers. At most 15 s a part.',
      answer: { status: 200, text: 'The report; `good` is false when a part is bad', schema: anyAnswer }, errors: [404],
    },
    async (req, res) => {
      res.json(toReport(await checks.inspect(textParam(req, 'instance_id'))));
    },
  ),

  serve(
    {
      method: 'post', path: '/mailwizz-instances/{instance_id}/fields', tag, who: 'operator', summary: 'Create the fields that its lists lack', body: fieldsOrder,
      description: 'All lists, or those of `list_uids`. Text fields, hidden from subscribers. Safe to repeat: what is there stays.',
      answer: { status: 200, text: 'What was made, per list', schema: anyAnswer }, errors: [404, 422, 502, 503],
    },
    async (req, res, caller) => {
      const instanceId = textParam(req, 'instance_id');
      const { list_uids: only } = fieldsOrder.parse(req.body);
      const { lists } = await checks.inspect(instanceId);
      const strangers = (only ?? []).filter((uid) => !lists.some((list) => list.listUid === uid));
      if (strangers.length > 0) throw unknownLists(instanceId, strangers);
      const items: CreatedFields[] = [];
      for (const list of lists.filter(({ listUid, missing }) => missing.length > 0 && (only === undefined || only.includes(listUid)))) {
        items.push(await checks.createFields(instanceId, list.listUid, list.missing));
      }
      await recordAudit(db, { actor: actorOf(caller), action: 'instance.fields_created', entity: instanceId, details: { lists: items.map(({ listUid, created }) => ({ list_uid: listUid, created })) } });
      await checks.syncLists(instanceId);
      res.json({ items: items.map(({ listUid, ...made }) => ({ list_uid: listUid, ...made })) });
    },
  ),

  serve(
    {
      method: 'post', path: '/mailwizz-instances/{instance_id}/sync', tag, who: 'operator', summary: 'Read its lists anew',
      description: 'Numbers and uids, names, fields and sizes. Without MySQL the numbers that are known stay.', answer: { status: 200, text: 'The lists', schema: anyAnswer }, errors: [404, 502, 503],
    },
    async (req, res, caller) => {
      const instanceId = textParam(req, 'instance_id');
      await checks.syncLists(instanceId);
      await recordAudit(db, { actor: actorOf(caller), action: 'instance.synced', entity: instanceId });
      res.json({ items: await listLists(db, instanceId) });
    },
  ),

  serve(
    {
      method: 'post', path: '/mailwizz-instances/{instance_id}/reconcile', tag, who: 'operator', summary: 'Compare its lists with our ledger now',
      description: 'Happens every six hours by itself. Repairs what is certain and reports the rest.', answer: { status: 202, text: 'A workflow does it', schema: anyAnswer }, errors: [404, 503],
    },
    async (req, res, caller) => {
      const instanceId = await knownInstance(textParam(req, 'instance_id'));
      const workflowId = reconcileWorkflowId(instanceId);
      await client.withDeadline(Date.now() + startWithinMs, () =>
        client.workflow.start<typeof workflows.reconcile>('reconcile' satisfies keyof typeof workflows, { workflowId, workflowIdConflictPolicy: 'USE_EXISTING', taskQueue, args: [{ instanceId }] }),
      );
      await recordAudit(db, { actor: actorOf(caller), action: 'instance.reconciled', entity: instanceId });
      res.status(202).location(`/api/v1/mailwizz-instances/${instanceId}/reconciliations`).json({ instance_id: instanceId, workflow_id: workflowId, queue: instanceQueue(taskQueue, instanceId) });
    },
  ),

  serve(
    {
      method: 'get', path: '/mailwizz-instances/{instance_id}/reconciliations', tag, who: 'operator', summary: 'How its lists compared with our ledger, newest first', query: reconciliationsQuery,
      answer: { status: 200, text: 'Comparisons', schema: anyAnswer }, errors: [404],
    },
    async (req, res) => {
      const { list_id: listId, limit } = reconciliationsQuery.parse(req.query);
      const instanceId = await knownInstance(textParam(req, 'instance_id'));
      res.json({ items: (await listReconciliations(db, { instanceId, listId, limit })).map(toComparison) });
    },
  ),

  serve(
    {
      method: 'get', path: '/mailwizz-instances/{instance_id}/missing', tag, who: 'operator', summary: 'Contacts that we injected into a list and that are not there any more', query: missingQuery,
      description: 'As the last finished comparison of the list found it, in order of contact id; `after` is the last id read, `next` the one to send.', answer: { status: 200, text: 'Contacts', schema: anyAnswer }, errors: [404],
    },
    async (req, res) => {
      const { list_id: listId, after, limit } = missingQuery.parse(req.query);
      const instanceId = await knownInstance(textParam(req, 'instance_id'));
      const comparison = (await listReconciliations(db, { instanceId, listId, limit: 2 })).find(({ finishedAt }) => finishedAt !== null);
      const items = comparison ? await listMissing(db, { comparison, afterId: after, limit }) : [];
      res.json({ compared_at: comparison?.finishedAt ?? null, items, next: items.length === limit ? (items.at(-1)?.contact_id ?? null) : null });
    },
  ),
  ];

  async function knownInstance(instanceId: string): Promise<string> {
    if (!(await findInstance(db, instanceId))) throw new EngineError('notFound', 'no instance', { publicMessage: `There is no MailWizz instance ${instanceId}.` });
    return instanceId;
  }
}

const unknownLists = (instanceId: string, uids: string[]) => {
  const message = `${instanceId} has no list ${uids.join(', ')}.`;
  return new EngineError('invalid', 'unknown lists', { publicMessage: message, fields: [{ field: 'list_uids', reason: 'unknown_list', message }] });
};

export const toReport = ({ instanceId, checkedAt, good, findings, lists }: InstanceReport) => ({
  instance_id: instanceId,
  checked_at: checkedAt,
  good,
  findings,
  lists: lists.map(({ listUid, listId, name, fields, missing, subscribers }) => ({ list_id: listId ?? null, list_uid: listUid, name, subscribers: subscribers ?? null, fields, missing })),
});

const toComparison = (compared: Reconciliation) => ({
  list_id: compared.listId,
  started_at: compared.startedAt,
  finished_at: compared.finishedAt,
  subscribers: compared.subscribers,
  matched: compared.matched,
  foreign: compared.foreign,
  settled: compared.settled,
  uids_repaired: compared.uidsRepaired,
  suppressed: compared.suppressed,
  doubled: compared.doubled,
  missing: compared.missing,
});
