import type { RowDataPacket } from 'mysql2/promise';
import type { Ask } from './connection';
import type { Schema } from './schema';
import type { FoundList, StandingSubscriber } from './types';

const listsAtMost = 10_000;
const fieldsAtMost = 200_000;

/** What is only read: lists, their fields and sizes, and the subscribers of a list page by page. */
export function createListTables(ask: Ask, { prefix }: Schema) {
  const table = (name: string) => `\`${prefix}${name}\``;

  return { lists, countSubscribers, readSubscribers, findSubscribers };

  async function lists(): Promise<FoundList[]> {
    const rows = await ask(
      `SELECT list_id, list_uid, name FROM ${table('list')} WHERE status = 'active' ORDER BY list_id LIMIT ${listsAtMost}`,
    );
    if (rows.length === 0) return [];
    const ids = rows.map((row) => Number(row['list_id']));
    // Not GROUP_CONCAT: it cuts at 1,024 bytes without a word.
    const tags = await ask(
      `SELECT list_id, tag FROM ${table('list_field')} WHERE list_id IN (?) ORDER BY sort_order, field_id LIMIT ${fieldsAtMost}`,
      [ids],
    );
    const fields = new Map<number, string[]>(ids.map((id) => [id, []]));
    for (const row of tags) fields.get(Number(row['list_id']))?.push(String(row['tag']));
    return rows.map((row) => {
      const listId = Number(row['list_id']);
      return { listId, listUid: String(row['list_uid']), name: String(row['name']), fields: fields.get(listId) ?? [] };
    });
  }

  async function countSubscribers(): Promise<Map<number, number>> {
    const rows = await ask(`SELECT list_id, COUNT(*) n FROM ${table('list_subscriber')} GROUP BY list_id`);
    return new Map(rows.map((row) => [Number(row['list_id']), Number(row['n'])]));
  }

  /** By the primary key, which every index ends with: an address as the cursor would carry personal data out of here. */
  async function readSubscribers(
    listId: number,
    { afterId, limit }: { afterId: number; limit: number },
  ): Promise<{ subscribers: StandingSubscriber[]; throughId: number | undefined }> {
    const rows = await ask(
      `SELECT subscriber_id, subscriber_uid, email, status FROM ${table('list_subscriber')} WHERE list_id = ? AND subscriber_id > ? ORDER BY subscriber_id LIMIT ?`,
      [listId, afterId, limit],
    );
    const last = rows.at(-1);
    return {
      subscribers: rows.map(toStandingSubscriber),
      throughId: last && rows.length === limit ? Number(last['subscriber_id']) : undefined,
    };
  }
  /** Also finds look-alikes, as the collation of the table compares loosely. */
  async function findSubscribers(listId: number, emails: string[]): Promise<StandingSubscriber[]> {
    const rows = await ask(
      `SELECT subscriber_uid, email, status FROM ${table('list_subscriber')} WHERE list_id = ? AND email IN (?) ORDER BY subscriber_id`,
      [listId, emails],
    );
    return rows.map(toStandingSubscriber);
  }
}

const toStandingSubscriber = (row: RowDataPacket): StandingSubscriber => ({
  email: String(row['email']),
  uid: String(row['subscriber_uid']),
  status: String(row['status']),
});
