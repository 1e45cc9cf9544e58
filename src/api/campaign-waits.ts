import type { Db } from '../../db/client';
import { lookAtRelease } from '../../db/queries/campaign-releases';
import { type Campaign, stateOf } from '../../db/queries/campaigns';
import { dueAtMs } from '../domain/campaign';
import { lookAtWindow } from '../domain/send-window';

export type CampaignWait = { what: 'send_window' | 'caps'; until: Date };

/** What keeps a campaign that is due or running from sending, though nobody stopped it. `until` of caps is when there may be more room. */
export async function findWait(db: Db, row: Campaign, nowMs: number): Promise<CampaignWait | undefined> {
  const due = dueAtMs(stateOf(row));
  const isDue = row.status === 'scheduled' && row.heldReasons.length === 0 && due !== null && due <= nowMs;
  if (row.status !== 'running' && !isDue) return undefined;
  const window = lookAtWindow(row.sendWindow, nowMs);
  if (window && !window.open) return { what: 'send_window', until: new Date(nowMs + window.changesInMs) };
  const release = row.status === 'running' ? await lookAtRelease(db, row, nowMs) : undefined;
  return release && release.inMs > 0 ? { what: 'caps', until: new Date(nowMs + release.inMs) } : undefined;
}
