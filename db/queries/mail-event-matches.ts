import { sql } from 'drizzle-orm';
import type { MailEvent } from '../../src/domain/mail-event';
import type { DbHandle } from '../client';

export type KnownContact = { id: number; email: string; email_hash: string; source_id: string | null };
export type KnownLeg = { leg_id: number; campaign_id: number; instance_id: string; uid: string };
/** An event with what we know of whom and what it is about. */
export type MatchedEvent = { event: MailEvent; contact: KnownContact | undefined; leg: KnownLeg | undefined };

/**
 * Finds the campaign of each event by MailWizz's uid of it, and the contact by MailWizz's uid of the subscriber in that instance, else by the address: an
 * address may have changed its subscriber, a uid never changes its person.
 */
export async function matchEvents(db: DbHandle, events: MailEvent[]): Promise<MatchedEvent[]> {
  const legs = await findLegs(db, distinct(events.map((event) => event.campaignUid)));
  const placed = events.map((event) => {
    const leg = event.campaignUid === null ? undefined : legs.find(({ uid, instance_id }) => uid === event.campaignUid && (event.instanceId ?? instance_id) === instance_id);
    return { event, leg, instanceId: event.instanceId ?? leg?.instance_id };
  });
  const byUid = await findContactIds(db, placed.flatMap(({ event, instanceId }) => (event.subscriberUid === null || instanceId === undefined ? [] : [{ instanceId, uid: event.subscriberUid }])));
  const { byId, byHash } = await findContacts(db, distinct([...byUid.values()]), distinct(events.map((event) => event.emailHash)));
  return placed.map(({ event, leg, instanceId }) => ({
    event,
    leg,
    contact: byId.get(byUid.get(`${instanceId} ${event.subscriberUid}`) ?? 0) ?? byHash.get(event.emailHash ?? ''),
  }));
}

const distinct = <T>(values: (T | null)[]): T[] => [...new Set(values)].filter((value) => value !== null);

async function findLegs(db: DbHandle, uids: string[]): Promise<KnownLeg[]> {
  if (uids.length === 0) return [];
  const found = await db.execute<KnownLeg>(sql`
    select legs.id leg_id, legs.campaign_id, campaigns.mailwizz_instance instance_id, legs.mailwizz_campaign_uid uid
    from campaign_legs legs join campaigns on campaigns.id = legs.campaign_id where legs.mailwizz_campaign_uid = any(${sql.param(uids)}::text[]) and legs.mailwizz_campaign_uid is not null`);
  return found.rows;
}

/** Ids of contacts under `<instance> <uid>`. */
async function findContactIds(db: DbHandle, subscribers: { instanceId: string; uid: string }[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const instanceId of new Set(subscribers.map((subscriber) => subscriber.instanceId))) {
    const uids = distinct(subscribers.filter((subscriber) => subscriber.instanceId === instanceId).map(({ uid }) => uid));
    const { rows } = await db.execute<{ contact_id: number; uid: string }>(sql`
      select contact_id, subscriber_uid uid from injections where instance_id = ${instanceId} and subscriber_uid = any(${sql.param(uids)}::text[]) and subscriber_uid is not null`);
    for (const { contact_id, uid } of rows) found.set(`${instanceId} ${uid}`, contact_id);
  }
  return found;
}

async function findContacts(db: DbHandle, ids: number[], hashes: string[]): Promise<{ byId: Map<number, KnownContact>; byHash: Map<string, KnownContact> }> {
  const columns = sql`select id, email, email_hash, source_id from contacts`;
  const ofIds = ids.length === 0 ? [] : (await db.execute<KnownContact>(sql`${columns} where id = any(${sql.param(ids)}::bigint[])`)).rows;
  const known = new Set(ofIds.map((contact) => contact.email_hash));
  const missing = hashes.filter((hash) => !known.has(hash));
  const ofHashes = missing.length === 0 ? [] : (await db.execute<KnownContact>(sql`${columns} where email_hash = any(${sql.param(missing)}::text[])`)).rows;
  const all = [...ofIds, ...ofHashes];
  return { byId: new Map(all.map((contact) => [contact.id, contact])), byHash: new Map(all.map((contact) => [contact.email_hash, contact])) };
}
