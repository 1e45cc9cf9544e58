import { parseAddress } from '../domain/address';
import { parseEventTime } from '../domain/event-time';
import { type BounceClass, clampTime, type EventWay, type MailEvent, type MailEventType } from '../domain/mail-event';

/** What a report says, before we know whether it makes sense. */
export type Report = {
  type: MailEventType;
  way: EventWay;
  instanceId: string | null;
  campaignUid: unknown;
  subscriberUid: unknown;
  email: unknown;
  time: unknown;
  bounceClass: BounceClass | null;
  url?: unknown;
  ip?: unknown;
  userAgent?: unknown;
  data?: unknown;
};
export type Reception = { receivedMs: number; zone: string };

const uidForm = /^[A-Za-z0-9_-]{1,50}$/;
const ipForm = /^[0-9a-fA-F:.]{3,45}$/;
const dataKeys = 20;

/** Why a report cannot be used: it names nobody, or names something in a form that no uid has. */
export type Unreadable = { unreadable: 'no_subscriber' | 'subscriber_uid' | 'campaign_uid' | 'not_an_event' | 'contradiction' | 'not_text' | 'not_json' };

/** The one way from a foreign report to an event of ours: texts are cut and cleaned, a time is read or replaced, an address gets its hash. */
export function toMailEvent(report: Report, { receivedMs, zone }: Reception): MailEvent | Unreadable {
  const subscriberUid = clean(report.subscriberUid, 51);
  const campaignUid = clean(report.campaignUid, 51);
  if (subscriberUid !== null && !uidForm.test(subscriberUid)) return { unreadable: 'subscriber_uid' };
  if (campaignUid !== null && !uidForm.test(campaignUid)) return { unreadable: 'campaign_uid' };
  const address = parseAddress(report.email);
  if (subscriberUid === null && 'problem' in address) return { unreadable: 'no_subscriber' };
  const ownMs = parseEventTime(report.time, zone);
  const at = clampTime(ownMs, receivedMs);
  const isClamped = ownMs === undefined || at !== new Date(ownMs).toISOString();
  const ip = clean(report.ip, 45);
  return {
    type: report.type,
    way: report.way,
    instanceId: report.instanceId,
    campaignUid,
    subscriberUid,
    email: 'problem' in address ? null : address.email,
    emailHash: 'problem' in address ? null : address.emailHash,
    at,
    receivedAt: new Date(receivedMs).toISOString(),
    bounceClass: report.bounceClass,
    url: clean(report.url, 2_000),
    ip: ip !== null && ipForm.test(ip) ? ip : null,
    userAgent: clean(report.userAgent, 500),
    data: { ...toData(report.data), ...(isClamped && { own_time: clean(report.time, 50) ?? 'none' }) },
  };
}

/** Text that Postgres keeps as it is; null for nothing. Numbers are text to whoever sends forms. */
export function clean(value: unknown, max: number): string | null {
  const text = typeof value === 'string' ? value : typeof value === 'number' && Number.isFinite(value) ? String(value) : '';
  const kept = text.replaceAll('\u0000', '').trim().slice(0, max).toWellFormed();
  return kept === '' ? null : kept;
}

/** Flat, short and without the names that we give. */
function toData(data: unknown): Record<string, string> {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return {};
  const entries = Object.entries(data).slice(0, dataKeys).flatMap(([key, value]) => {
    const name = clean(key, 50);
    const text = clean(typeof value === 'object' && value !== null ? JSON.stringify(value) : typeof value === 'boolean' ? String(value) : value, 500);
    return name === null || text === null || ownNames.has(name) ? [] : [[name, text] as const];
  });
  return Object.fromEntries(entries);
}
const ownNames = new Set(['own_time', '__proto__', 'constructor', 'prototype']);
