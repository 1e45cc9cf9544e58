import { EngineError } from '../../domain/errors';
import { createApiClient } from './api';
import { createCalls } from './calls';
import { toValue } from './calls/called';
import type { OurTag } from './fields';
import type { InstanceSettings } from './types';

export type CreatedFields = { listUid: string; created: string[]; present: string[]; failed: { tag: string; reason: string }[] };

/** What a person sees above the value in MailWizz. */
const labels: Record<OurTag, string> = {
  EMAIL: 'E-mail',
  FNAME: 'First name',
  LNAME: 'Last name',
  COMPANY: 'Company',
  PHONE: 'Phone',
  WEBSITE: 'Website',
  SOURCE: 'Source',
  CATEGORY: 'Category',
  TAGS: 'Tags',
  TAGSET: 'Tag set',
  COUNTRY: 'Country',
  LANGUAGE: 'Language',
  BUCKET: 'Bucket',
  SOURCES: 'Sources',
  SCORE: 'Score',
};
const tagShape = /^[A-Z][A-Z0-9_]{0,49}$/;
const tagsAtMost = 50;

/** Creates the fields that a list lacks: text, hidden from the people in it. No key forbids a second one of the same tag, so it looks before and, after a lost answer, again. */
export async function createFields(settings: InstanceSettings, listUid: string, tags: string[]): Promise<CreatedFields> {
  if (tags.length > tagsAtMost || !tags.every((tag) => tagShape.test(tag)))
    throw new EngineError('invalid', 'tags are capital letters, digits and underscores, 50 at most');
  const client = createApiClient(settings);
  const { fields } = createCalls(client);
  const result: CreatedFields = { listUid, created: [], present: [], failed: [] };
  try {
    const there = await presentTags();
    for (const tag of new Set(tags)) {
      if (there.has(tag)) result.present.push(tag);
      else await create(tag, there.size + result.created.length);
    }
    return result;
  } finally {
    await client.close();
  }

  async function create(tag: string, sortOrder: number): Promise<void> {
    const label = new Map<string, string>(Object.entries(labels)).get(tag) ?? tag;
    const called = await fields.create(listUid, { tag, label, type: 'text', required: false, visibility: 'hidden', sortOrder });
    const made = called.kind === 'done' || (called.kind === 'unknown' && (await presentTags()).has(tag));
    if (made) result.created.push(tag);
    else
      result.failed.push({
        tag,
        reason:
          'reason' in called
            ? called.reason
            : called.kind === 'rejected'
              ? [...called.messages.values()].join(' ').slice(0, 200)
              : called.kind,
      });
  }

  async function presentTags(): Promise<Set<string>> {
    return new Set(toValue(await fields.readAll(listUid), 'the fields of a list').map((field) => field.tag));
  }
}
