import { randomBytes } from 'node:crypto';
import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import { findUnfit, toFields } from './fields';
import { toStanding } from './lookup';
import type { Ask, Schema } from './schema';
import type { FoundList } from './types';

type Field = { fieldId: number; tag: string; fallback: string };
type Inserting = { contact: OutgoingContact; fields: Map<string, string>; uid: string };

/** The statements on the tables of MailWizz; the caller holds the transaction. */
export function createTables(ask: Ask, prefix: string, schema: Schema) {
  const table = (name: string) => `\`${prefix}${name}\``;

  return { write, findSubscribers, lists };

  /** One page. The lock on the list's row lets one writer of ours in at a time, as no unique key keeps doubles out. */
  async function write(listId: number, contacts: OutgoingContact[]): Promise<InjectionOutcome[]> {
    const [list] = await ask(`SELECT customer_id FROM ${table('list')} WHERE list_id = ? AND status = 'active' FOR UPDATE`, [listId]);
    if (!list) return contacts.map(({ contactId }) => ({ contactId, outcome: 'rejected', reason: 'list_not_found' }));
    const fields = (await ask(`SELECT field_id, tag, default_value FROM ${table('list_field')} WHERE list_id = ?`, [listId])).map(
      (row): Field => ({ fieldId: Number(row['field_id']), tag: String(row['tag']), fallback: String(row['default_value'] ?? '') }),
    );
    const known = new Set(fields.map((field) => field.tag));
    const emails = contacts.map((contact) => contact.email);
    const standing = await findSubscribers(listId, emails);
    const blacklisted = await findBlacklisted(Number(list['customer_id']), emails);
    const outcomes: InjectionOutcome[] = [];
    const inserting = new Map<string, Inserting>();
    for (const contact of contacts) {
      const { contactId } = contact;
      const key = contact.email.toLowerCase();
      const there = standing.get(key);
      const pairs = toFields(contact, known);
      const reason = findUnfit(pairs, schema.widths);
      if (there) outcomes.push(toStanding(contactId, { ...there, method: 'mysql' }));
      else if (blacklisted.has(key)) outcomes.push({ contactId, outcome: 'suppressed', reason: 'blacklisted' });
      else if (reason !== undefined) outcomes.push({ contactId, outcome: 'rejected', reason });
      else if (inserting.has(key)) outcomes.push({ contactId, outcome: 'pending', reason: 'same_address_in_page' });
      else inserting.set(key, { contact, fields: new Map(pairs), uid: newUid() });
    }
    if (inserting.size > 0) outcomes.push(...(await insert(listId, fields, [...inserting.values()])));
    return outcomes;
  }

  async function insert(listId: number, fields: Field[], inserting: Inserting[]): Promise<InjectionOutcome[]> {
    await ask(
      `INSERT INTO ${table('list_subscriber')} (subscriber_uid, list_id, email, ip_address, source, status, date_added, last_updated) VALUES ${repeat("(?, ?, ?, NULL, 'api', 'confirmed', NOW(), NOW())", inserting.length)}`,
      inserting.flatMap(({ uid, contact }) => [uid, listId, contact.email]),
    );
    const made = await ask(`SELECT subscriber_id, subscriber_uid FROM ${table('list_subscriber')} WHERE subscriber_uid IN (?)`, [inserting.map(({ uid }) => uid)]);
    const ids = new Map(made.map((row) => [String(row['subscriber_uid']), Number(row['subscriber_id'])]));
    const placed = inserting.map(({ uid, ...rest }) => {
      const subscriberId = ids.get(uid);
      if (subscriberId === undefined) throw new Error('a subscriber just written is not there');
      return { ...rest, uid, subscriberId };
    });
    if (fields.length > 0) {
      await ask(
        `INSERT INTO ${table('list_field_value')} (field_id, subscriber_id, value, date_added, last_updated) VALUES ${repeat('(?, ?, ?, NOW(), NOW())', placed.length * fields.length)}`,
        placed.flatMap(({ subscriberId, fields: given }) => fields.flatMap(({ fieldId, tag, fallback }) => [fieldId, subscriberId, given.get(tag) ?? fallback])),
      );
    }
    return placed.map(({ contact, uid, subscriberId }) => ({ contactId: contact.contactId, outcome: 'injected', uid, method: 'mysql', subscriberId }));
  }

  /** By address in our own lower case: the collation of the table also finds `josé` for `jose`. */
  async function findSubscribers(listId: number, emails: string[]) {
    const rows = await ask(`SELECT subscriber_id, subscriber_uid, email, status FROM ${table('list_subscriber')} WHERE list_id = ? AND email IN (?)`, [listId, emails]);
    return new Map(
      rows.map((row) => [String(row['email']).toLowerCase(), { uid: String(row['subscriber_uid']), status: String(row['status']), subscriberId: Number(row['subscriber_id']) }]),
    );
  }

  async function findBlacklisted(customerId: number, emails: string[]): Promise<Set<string>> {
    const everywhere = await ask(`SELECT email FROM ${table('email_blacklist')} WHERE email IN (?)`, [emails]);
    const here = schema.customerBlacklist
      ? await ask(`SELECT email FROM ${table('customer_email_blacklist')} WHERE customer_id = ? AND email IN (?)`, [customerId, emails])
      : [];
    return new Set([...everywhere, ...here].map((row) => String(row['email']).toLowerCase()));
  }

  async function lists(): Promise<FoundList[]> {
    const rows = await ask(`SELECT list_id, list_uid, name FROM ${table('list')} WHERE status = 'active' ORDER BY list_id LIMIT 10000`);
    // Not GROUP_CONCAT: it cuts at 1,024 bytes without a word.
    const tags = rows.length === 0 ? [] : await ask(`SELECT list_id, tag FROM ${table('list_field')} WHERE list_id IN (?) ORDER BY sort_order, field_id LIMIT 200000`, [rows.map((row) => Number(row['list_id']))]);
    const fieldsOf = (listId: number) => tags.filter((row) => Number(row['list_id']) === listId).map((row) => String(row['tag']));
    return rows.map((row) => {
      const listId = Number(row['list_id']);
      return { listId, listUid: String(row['list_uid']), name: String(row['name']), fields: fieldsOf(listId) };
    });
  }
}

const repeat = (values: string, times: number) => Array.from({ length: times }, () => values).join(', ');
const letters = 'abcdefghijklmnopqrstuvwxyz';

/** The shape of every public uid (mailwizz.md 2.3): two letters, three digits, five of either, three hex digits. */
export function newUid(): string {
  const bytes = randomBytes(10);
  const letter = (at: number) => letters[(bytes[at] ?? 0) % 26] ?? 'a';
  return `${letter(0)}${letter(1)}${String(bytes.readUInt16BE(2) % 1000).padStart(3, '0')}${letter(4)}${letter(5)}${bytes.toString('hex', 6, 9)}`;
}
