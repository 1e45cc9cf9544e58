import { sql } from 'drizzle-orm';
import { type Order, orderRanks, statusRanks } from '../../src/domain/mail-event';
import type { Tx } from '../client';

export type OrderedAddress = Order & { emailHash: string; origin: string };

const ranks = (words: readonly string[]) => sql`${sql.param([...words])}::text[]`;

/**
 * Orders not to mail these addresses any more: as suppressions, and as the status of the contacts that have them. The weightier order stays, whichever comes
 * first, so that any order of events ends in one state.
 */
export async function orderSuppressions(tx: Tx, orders: OrderedAddress[]): Promise<void> {
  if (orders.length === 0) return;
  const heaviest = new Map<string, OrderedAddress>();
  for (const order of orders) {
    const known = heaviest.get(order.emailHash);
    if (!known || orderRanks.indexOf(order.reason) > orderRanks.indexOf(known.reason)) heaviest.set(order.emailHash, order);
  }
  const input = [...heaviest.values()].toSorted((a, b) => (a.emailHash < b.emailHash ? -1 : 1)).map(({ emailHash, reason, status, origin }) => ({ email_hash: emailHash, reason, status, origin }));
  const rows = sql`json_to_recordset(${JSON.stringify(input)}::json) as input(email_hash text, reason text, status text, origin text)`;
  // Contacts first, as everywhere: two that lock both never wait for each other.
  await tx.execute(sql`
    with locked as (
      select id, email_hash from contacts where email_hash = any(${sql.param(input.map((order) => order.email_hash))}::text[]) order by id for update)
    update contacts set status = input.status, status_changed_at = now(), updated_at = now()
    from locked join ${rows} on input.email_hash = locked.email_hash
    where contacts.id = locked.id and contacts.email_hash = any(${sql.param(input.map((order) => order.email_hash))}::text[])
      and coalesce(array_position(${ranks(statusRanks)}, contacts.status::text), 0) < array_position(${ranks(statusRanks)}, input.status)`);
  await tx.execute(sql`
    insert into suppressions (email_hash, reason, origin) select email_hash, reason, origin from ${rows} order by email_hash
    on conflict (email_hash) do update set reason = excluded.reason, origin = excluded.origin
      where array_position(${ranks(orderRanks)}, suppressions.reason::text) < array_position(${ranks(orderRanks)}, excluded.reason::text)`);
}
