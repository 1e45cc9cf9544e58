export const parts = [
  'api',
  'key',
  'style',
  'lists',
  'fields',
  'bulk',
  'api_clock',
  'mysql',
  'schema',
  'rights',
  'charset',
  'mysql_clock',
  'list_numbers',
] as const;
export type Part = (typeof parts)[number];

/** `warn`: it works, and somebody should know. `skipped`: not asked, and why. */
export type Finding = {
  part: Part;
  state: 'good' | 'warn' | 'bad' | 'skipped';
  code: string;
  words: string;
  facts: Record<string, string | number | boolean>;
};

export type ReportedList = {
  listUid: string;
  /** From MySQL or from our own map; the API does not know it. */
  listId: number | undefined;
  name: string;
  fields: string[];
  /** Those of our fields that the list lacks. */
  missing: string[];
  subscribers: number | undefined;
};

export type InstanceReport = { instanceId: string; checkedAt: string; good: boolean; findings: Finding[]; lists: ReportedList[] };

export const finding = (part: Part, state: Finding['state'], code: string, words: string, facts: Finding['facts'] = {}): Finding => ({
  part,
  state,
  code,
  words,
  facts,
});

/** No part holds the others longer than this. */
export const partMs = 15_000;

/** What a part comes to within its time; a part that fails on its own is a finding, too. */
export async function withinTime(part: Part, work: () => Promise<Finding>): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => resolve(finding(part, 'bad', 'timed_out', `There was no answer within ${partMs / 1_000} seconds.`)), partMs);
  });
  const tried = work().catch(() => finding(part, 'bad', 'failed', 'This could not be checked.'));
  return Promise.race([tried, over]).finally(() => clearTimeout(timer));
}
