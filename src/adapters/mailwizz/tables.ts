import { type InjectionOutcome, type OutgoingContact, weighsMore } from '../../domain/injection';
import type { Ask } from './connection';
import { toEmailKey } from './fields';
import { type Row, toRows } from './rows';
import type { Schema } from './schema';
import { type There, toStanding } from './standing';
import { newUid } from './uid';
import { createValueTable, type ListField } from './values';

/** What one page comes to; `there`: those who get mail already, and whose values may differ from ours. */
type Judged = { outcomes: InjectionOutcome[]; there: { row: Row; subscriberId: number }[]; absent: Row[] };

/** The statements on the tables of MailWizz; the caller holds the transaction. */
export function createTables(ask: Ask, schema: Schema) {
  const table = (name: string) => `\`${schema.prefix}${name}\``;
  const valueTable = createValueTable(ask, schema);

  return { write, settle };

  /** Places a page. Who is there already is brought up to date when it gets mail, and else left as it stands. */
  async function write(listId: number, contacts: OutgoingContact[]): Promise<InjectionOutcome[]> {
    const list = await openList(listId, 'FOR UPDATE');
    if (!list) return contacts.map(({ contactId }) => ({ contactId, outcome: 'rejected', reason: 'list_not_found' }));
    const { outcomes, there, absent } = await judge(listId, list, contacts);
    await bringUpToDate(list.fields, there);
    const lacking = (row: Row) => list.fields.find(({ tag, required, fallback }) => required && fallback === '' && !row.values.has(tag));
    const refused = absent
      .filter(lacking)
      .map(({ contact }): InjectionOutcome => ({ contactId: contact.contactId, outcome: 'rejected', reason: 'field_required' }));
    return [
      ...outcomes,
      ...refused,
      ...(await insert(
        listId,
        list.fields,
        absent.filter((row) => !lacking(row)),
      )),
    ];
  }

  /** Says how a page stands, and brings up to date who gets mail, where it may. Absent is `pending`: it may be tried again. */
  async function settle(listId: number, contacts: OutgoingContact[]): Promise<InjectionOutcome[]> {
    const mayWrite = schema.cannotWrite === undefined;
    const list = await openList(listId, mayWrite ? 'FOR UPDATE' : '');
    if (!list) return contacts.map(({ contactId }) => ({ contactId, outcome: 'rejected', reason: 'list_not_found' }));
    const { outcomes, there, absent } = await judge(listId, list, contacts);
    if (mayWrite) await bringUpToDate(list.fields, there);
    return [
      ...outcomes,
      ...absent.map(({ contact }): InjectionOutcome => ({ contactId: contact.contactId, outcome: 'pending', reason: 'absent' })),
    ];
  }

  /**
   * `FOR UPDATE` lets one writer of ours in at a time, as no unique key keeps doubles out. One row for the whole list: MailWizz's own inserts wait for it too
   * (each takes a share of it for its foreign key), and a page holds it for a fraction of a second.
   */
  async function openList(listId: number, lock: 'FOR UPDATE' | ''): Promise<{ customerId: number; fields: ListField[] } | undefined> {
    const [list] = await ask(`SELECT customer_id FROM ${table('list')} WHERE list_id = ? AND status = 'active' ${lock}`, [listId]);
    if (!list) return undefined;
    const rows = await ask(
      `SELECT field_id, tag, default_value, required FROM ${table('list_field')} WHERE list_id = ? ORDER BY field_id`,
      [listId],
    );
    const fields = rows.map((row): ListField => ({
      fieldId: Number(row['field_id']),
      tag: String(row['tag']),
      fallback: String(row['default_value'] ?? ''),
      required: row['required'] === 'yes',
    }));
    return { customerId: Number(list['customer_id']), fields };
  }

  async function judge(
    listId: number,
    { customerId, fields }: { customerId: number; fields: ListField[] },
    contacts: OutgoingContact[],
  ): Promise<Judged> {
    const { rows, judged } = toRows(contacts, new Set(fields.map((field) => field.tag)), schema.widths);
    const result: Judged = { outcomes: judged, there: [], absent: [] };
    if (rows.length === 0) return result;
    const emails = rows.map((row) => row.contact.email);
    const standing = await findSubscribers(listId, emails);
    const blacklisted = await findBlacklisted(customerId, emails);
    for (const row of rows) {
      const { contactId, email } = row.contact;
      const found = standing.get(toEmailKey(email));
      if (blacklisted.has(toEmailKey(email))) result.outcomes.push({ contactId, outcome: 'suppressed', reason: 'blacklisted' });
      else if (!found) result.absent.push(row);
      else {
        const outcome = toStanding(contactId, found);
        result.outcomes.push(outcome);
        if (outcome.outcome === 'injected') result.there.push({ row, subscriberId: found.subscriberId });
      }
    }
    return result;
  }

  async function bringUpToDate(fields: ListField[], there: { row: Row; subscriberId: number }[]): Promise<void> {
    if (there.length > 0)
      await valueTable.update(
        fields,
        there.map(({ row, subscriberId }) => ({ subscriberId, values: row.values })),
      );
  }

  async function insert(listId: number, fields: ListField[], rows: Row[]): Promise<InjectionOutcome[]> {
    if (rows.length === 0) return [];
    const made = rows.map((row) => ({ ...row, uid: newUid() }));
    const places = made.map(() => `(?, ?, ?, NULL, 'api', 'confirmed', ${schema.clock}, ${schema.clock})`).join(', ');
    await ask(
      `INSERT INTO ${table('list_subscriber')} (subscriber_uid, list_id, email, ip_address, source, status, date_added, last_updated) VALUES ${places}`,
      made.flatMap(({ uid, contact }) => [uid, listId, contact.email]),
    );
    const stored = await ask(`SELECT subscriber_id, subscriber_uid FROM ${table('list_subscriber')} WHERE subscriber_uid IN (?)`, [
      made.map(({ uid }) => uid),
    ]);
    const ids = new Map(stored.map((row) => [String(row['subscriber_uid']), Number(row['subscriber_id'])]));
    const placed = made.map(({ uid, contact, values }) => {
      const subscriberId = ids.get(uid);
      if (subscriberId === undefined) throw new Error('a subscriber just written is not there');
      return { uid, contact, values, subscriberId };
    });
    await valueTable.insert(fields, placed);
    return placed.map(({ contact, uid, subscriberId }) => ({
      contactId: contact.contactId,
      outcome: 'injected',
      uid,
      method: 'mysql',
      subscriberId,
    }));
  }

  /** By address in our own spelling: the collation of the table also finds `josé` for `jose`. */
  async function findSubscribers(listId: number, emails: string[]): Promise<Map<string, There & { subscriberId: number }>> {
    const rows = await ask(
      `SELECT subscriber_id, subscriber_uid, email, status FROM ${table('list_subscriber')} WHERE list_id = ? AND email IN (?) ORDER BY subscriber_id`,
      [listId, emails],
    );
    const found = new Map<string, There & { subscriberId: number }>();
    for (const row of rows) {
      const key = toEmailKey(String(row['email']));
      const status = String(row['status']);
      const before = found.get(key);
      if (!before || weighsMore(status, before.status)) {
        found.set(key, { uid: String(row['subscriber_uid']), status, method: 'mysql', subscriberId: Number(row['subscriber_id']) });
      }
    }
    return found;
  }

  async function findBlacklisted(customerId: number, emails: string[]): Promise<Set<string>> {
    const everywhere = await ask(`SELECT email FROM ${table('email_blacklist')} WHERE email IN (?)`, [emails]);
    const here = schema.customerBlacklist
      ? await ask(`SELECT email FROM ${table('customer_email_blacklist')} WHERE customer_id = ? AND email IN (?)`, [customerId, emails])
      : [];
    return new Set([...everywhere, ...here].map((row) => toEmailKey(String(row['email']))));
  }
}
