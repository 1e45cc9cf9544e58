import { stableUid } from '../uid';

export type SandboxList = { list_id: number; list_uid: string; name: string };

/** The fields every list of the sandbox has; EMAIL first, as MailWizz makes it. */
export const fieldTags = ['EMAIL', 'FNAME', 'LNAME', 'COMPANY', 'PHONE', 'WEBSITE', 'SOURCE', 'CATEGORY', 'TAGS', 'TAGSET', 'COUNTRY', 'LANGUAGE', 'BUCKET'];

const known: Record<string, SandboxList[]> = {
  'client-1': [
    { list_id: 12, list_uid: stableUid('client-1/12'), name: 'Avocats' },
    { list_id: 13, list_uid: stableUid('client-1/13'), name: 'Assureurs' },
    { list_id: 14, list_uid: stableUid('client-1/14'), name: 'Notaires' },
  ],
  'client-2': [
    { list_id: 45, list_uid: stableUid('client-2/45'), name: 'Blogueurs' },
    { list_id: 46, list_uid: stableUid('client-2/46'), name: 'Influenceurs' },
    { list_id: 47, list_uid: stableUid('client-2/47'), name: 'Admins Facebook' },
  ],
};

export function listsOf(instance: number): SandboxList[] {
  const id = `client-${instance}`;
  return known[id] ?? [1, 2, 3].map((number) => ({ list_id: 100 * instance + number, list_uid: stableUid(`${id}/${number}`), name: `List ${number}` }));
}
