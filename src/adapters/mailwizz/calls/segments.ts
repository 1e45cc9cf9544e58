import { z } from 'zod';
import type { Api } from '../api';
import { path, toForm } from '../form';
import { ask, askPage, type Called, collect, nothingElse, type Page, type PageAsked } from './called';
import { id, maybeNumber, maybeText, recordIn, uid } from './shapes';
import { type Subscriber, subscriberRow } from './subscribers';

export type Condition = { fieldId: number; operatorId: number; value: string };
export type NewSegment = { name: string; match: 'any' | 'all'; conditions: Condition[] };
export type SegmentRow = { segmentUid: string; name: string; subscribers: number | undefined };
export type Segment = SegmentRow & { match: string | undefined; conditions: Condition[] };
/** `name` is the slug where there is one: `is`, `is-not`, `contains`, `starts`, `greater`, `less` … */
export type Operator = { operatorId: number; name: string };

const row = z
  .looseObject({ segment_uid: uid, name: z.string(), subscribers_count: maybeNumber })
  .transform((found): SegmentRow => ({ segmentUid: found.segment_uid, name: found.name, subscribers: found.subscribers_count }));
const condition = z
  .looseObject({ field_id: id, operator_id: id, value: z.union([z.string(), z.number()]).nullish() })
  .transform((found): Condition => ({ fieldId: found.field_id, operatorId: found.operator_id, value: String(found.value ?? '') }));
/** Conditions without any is `[]`; a map stands for a PHP list with holes. */
const conditions = z.union([z.array(condition), z.record(z.string(), condition).transform((map) => Object.values(map))]);
const segment = z.looseObject({
  segment_uid: uid.optional(),
  name: z.string(),
  subscribers_count: maybeNumber,
  operator_match: maybeText,
  conditions: conditions.optional(),
});
const operator = z
  .looseObject({ operator_id: id, slug: maybeText, name: maybeText })
  .transform((found): Operator => ({ operatorId: found.operator_id, name: found.slug ?? found.name ?? '' }));
/** The documents have `data.record`, the published OpenAPI a `segment_uid` at the top. */
const created = z.union([
  z.looseObject({ segment_uid: uid }).transform((found) => ({ segmentUid: found.segment_uid })),
  recordIn(z.looseObject({ segment_uid: uid })).transform((found) => ({ segmentUid: found.segment_uid })),
]);

const segmentPagesAtMost = 200;

export const createSegmentCalls = (api: Api) => ({
  readPage: (listUid: string, asked: PageAsked): Promise<Called<Page<SegmentRow>>> =>
    askPage(api, { ...asked, path: path`/lists/${listUid}/segments` }, row),
  /** Segments have no key of their own: who creates one looks for its name first. */
  async findByName(listUid: string, name: string, signal?: AbortSignal): Promise<Called<SegmentRow | undefined>> {
    const all = await collect((page) => askPage(api, { path: path`/lists/${listUid}/segments`, page, signal }, row), segmentPagesAtMost);
    return all.kind === 'done' ? { kind: 'done', value: all.value.find((found) => found.name === name) } : all;
  },
  async read(listUid: string, segmentUid: string, signal?: AbortSignal): Promise<Called<Segment>> {
    const called = await ask(api, { method: 'GET', path: path`/lists/${listUid}/segments/${segmentUid}`, signal }, recordIn(segment));
    if (called.kind !== 'done') return called;
    const { name, subscribers_count: subscribers, operator_match: match, conditions: found = [] } = called.value;
    return { kind: 'done', value: { segmentUid, name, subscribers, match, conditions: found } };
  },
  create: (listUid: string, segmentMade: NewSegment): Promise<Called<{ segmentUid: string }>> =>
    ask(api, { method: 'POST', path: path`/lists/${listUid}/segments`, form: toSegmentForm(segmentMade) }, created),
  /** Replaces all conditions. */
  update: (listUid: string, segmentUid: string, segmentMade: NewSegment): Promise<Called<undefined>> =>
    ask(api, { method: 'PUT', path: path`/lists/${listUid}/segments/${segmentUid}`, form: toSegmentForm(segmentMade) }, nothingElse),
  remove: (listUid: string, segmentUid: string): Promise<Called<undefined>> =>
    ask(api, { method: 'DELETE', path: path`/lists/${listUid}/segments/${segmentUid}` }, nothingElse),
  readOperators: (signal?: AbortSignal): Promise<Called<Operator[]>> =>
    collect((page) => askPage(api, { path: '/lists/segments/condition-operators', page, signal }, operator), 5),
  /** `absent` on installations older than 2024, which do not have this route. */
  readMembers: (listUid: string, segmentUid: string, asked: PageAsked): Promise<Called<Page<Subscriber>>> =>
    askPage(api, { ...asked, path: path`/lists/${listUid}/segments/${segmentUid}/subscribers` }, subscriberRow),
});

const toSegmentForm = ({ name, match, conditions: wanted }: NewSegment) =>
  toForm({
    name,
    operator_match: match,
    conditions: wanted.map(({ fieldId, operatorId, value }) => ({ field_id: fieldId, operator_id: operatorId, value })),
  });
