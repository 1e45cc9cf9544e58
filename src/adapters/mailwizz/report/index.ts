import { EngineError } from '../../../domain/errors';
import { createApiClient } from '../api';
import type { FoundList, InstanceSettings } from '../types';
import { inspectApi } from './api';
import { inspectDatabase } from './database';
import { type Finding, finding, type InstanceReport, parts, type ReportedList } from './types';

export type { Finding, InstanceReport, Part, ReportedList } from './types';

/** Looks at an instance through both ways, part by part, and says in words and codes what it found. Changes nothing; never throws. */
export async function inspectInstance(settings: InstanceSettings, now: () => number = Date.now): Promise<InstanceReport> {
  const [throughApi, throughTables] = await Promise.all([lookThroughApi(settings, now), lookThroughTables(settings, now)]);
  const findings = [...throughApi.findings, ...throughTables.findings].toSorted((a, b) => parts.indexOf(a.part) - parts.indexOf(b.part));
  return {
    instanceId: settings.instanceId,
    checkedAt: new Date(now()).toISOString(),
    good: findings.every(({ state }) => state !== 'bad'),
    findings,
    lists: throughApi.lists.map((list): ReportedList => ({ ...list, listId: numberOf(list.listUid, throughTables.lists, settings) })),
  };
}

async function lookThroughApi(settings: InstanceSettings, now: () => number): ReturnType<typeof inspectApi> {
  try {
    const client = createApiClient(settings);
    return await inspectApi(client, now).finally(() => client.close());
  } catch (error) {
    const words = error instanceof EngineError ? error.message : 'The API could not be looked at.';
    return { findings: [finding('api', 'bad', 'api_url_unusable', words)], lists: [] };
  }
}

async function lookThroughTables(
  { mysql, allowPrivateNetwork, lists }: InstanceSettings,
  now: () => number,
): Promise<{ findings: Finding[]; lists: FoundList[] }> {
  if (mysql) return inspectDatabase(mysql, allowPrivateNetwork, now);
  const numbers =
    lists.length > 0
      ? finding('list_numbers', 'good', 'numbers_given', 'The numbers of the lists are those an operator entered.', { lists: lists.length })
      : finding('list_numbers', 'bad', 'numbers_unknown', 'Only MySQL knows the numbers of lists: set it up, or enter them.');
  return {
    findings: [
      finding('mysql', 'skipped', 'not_set_up', 'MySQL is not set up for this instance: while the API is down, contacts wait.'),
      numbers,
    ],
    lists: [],
  };
}

const numberOf = (listUid: string, found: FoundList[], { lists }: InstanceSettings) =>
  found.find((list) => list.listUid === listUid)?.listId ?? lists.find((list) => list.listUid === listUid)?.listId;
