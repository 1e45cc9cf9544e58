import { z } from 'zod';
import type { Api } from '../api';
import { path, toForm } from '../form';
import { ask, askRecords, type Called } from './called';
import { id, maybeText, recordIn, uid, yesNo } from './shapes';

export type Field = { fieldId: number; tag: string; label: string | undefined; required: boolean; type: string | undefined };
export type NewField = {
  tag: string;
  label: string;
  type: string;
  required: boolean;
  visibility: 'visible' | 'hidden' | 'none';
  sortOrder?: number;
};

/** The type is a map on reading and on creation; a bare identifier is taken, too. */
const type = z.union([z.looseObject({ identifier: z.string() }).transform((found) => found.identifier), maybeText]);
const field = z.looseObject({ field_id: id, tag: uid, label: maybeText, required: yesNo, type }).transform((found): Field => ({
  fieldId: found.field_id,
  tag: found.tag,
  label: found.label,
  required: found.required,
  type: found.type,
}));

export const createFieldCalls = (api: Api) => ({
  /** All fields of a list: this listing has no pages. A field we cannot read makes the answer unknown, as its tag would count as missing. */
  async readAll(listUid: string, signal?: AbortSignal): Promise<Called<Field[]>> {
    const called = await askRecords(api, { path: path`/lists/${listUid}/fields`, signal }, field);
    if (called.kind !== 'done') return called;
    return called.value.unreadable === 0 ? { kind: 'done', value: called.value.records } : { kind: 'unknown', reason: 'foreign_shape' };
  },

  create(listUid: string, { tag, label, type: identifier, required, visibility, sortOrder }: NewField): Promise<Called<Field>> {
    const form = toForm({ type: identifier, label, tag, required: required ? 'yes' : 'no', visibility, sort_order: sortOrder });
    return ask(api, { method: 'POST', path: path`/lists/${listUid}/fields`, form }, recordIn(field));
  },
});
