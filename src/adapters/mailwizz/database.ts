import { EngineError } from '../../domain/errors';
import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import { type Ask, createConnections, type Lent } from './connection';
import { createListTables } from './list-tables';
import { codeOf, toReason } from './reasons';
import { probeSchema, type Schema } from './schema';
import { createTables } from './tables';
import type { FoundList, MysqlSettings, StandingSubscriber } from './types';

type Failed = { failed: string };
export type DatabaseClient = ReturnType<typeof createDatabaseClient>;

/** What one transaction holds: few enough for a short lock, many enough that its few statements do not count. */
const rowsPerTransaction = 500;
/** No COMMIT is sent later than this after its transaction began: with the last statement it stays below the life of a request. */
const transactionMs = 15_000;
/** A deadlock, a uid that is taken and a connection that had died while idle heal at once. */
const triesPerPage = 3;
const healsAtOnce = new Set(['er_lock_deadlock', 'er_dup_entry', 'protocol_connection_lost', 'econnreset', 'epipe']);
/** The server's word that a COMMIT did not happen: after any other trouble with it nobody knows. */
const surelyRolledBack = new Set([
  'er_lock_deadlock',
  'er_lock_wait_timeout',
  'er_option_prevents_statement',
  'er_cant_execute_in_read_only_transaction',
]);
/** The tables are no longer those that were probed. */
const schemaHasMoved =
  /^er_(no_such_table|bad_field_error|no_default_for_field|data_too_long|truncated_wrong_value_for_field|tableaccess_denied_error|columnaccess_denied_error)$/;
/** An operator may have repaired what we refused. */
const problemAgeMs = 60_000;

/**
 * The way in when the API is down (mailwizz.md 5.3). Duties: a schema that we know, one lock per list, the blacklists, one subscriber row and one value
 * per field, nothing cut. Answers `failed` when surely nothing was written.
 */
export function createDatabaseClient(
  settings: MysqlSettings,
  { allowPrivateNetwork, now }: { allowPrivateNetwork: boolean; now: () => number },
) {
  const connections = createConnections(settings, allowPrivateNetwork);
  let probed: { schema: Schema | { problem: string }; at: number } | undefined;

  return { addSubscribers, settle, lists, countSubscribers, readSubscribers, findSubscribers, close: () => connections.close() };

  /** Page after page, each in one transaction, none begun after `untilMs`. */
  function addSubscribers(listId: number, contacts: OutgoingContact[], untilMs: number): Promise<InjectionOutcome[] | Failed> {
    return inPages(contacts, untilMs, (ask, schema, page) => {
      if (schema.cannotWrite !== undefined) throw new EngineError('contract', schema.cannotWrite);
      return createTables(ask, schema).write(listId, page);
    });
  }

  /** Settles open contacts by what the tables hold: how they stand, or absent. */
  function settle(listId: number, contacts: OutgoingContact[], untilMs: number): Promise<InjectionOutcome[] | Failed> {
    return inPages(contacts, untilMs, (ask, schema, page) => createTables(ask, schema).settle(listId, page));
  }

  type Work = (ask: Ask, schema: Schema, page: OutgoingContact[]) => Promise<InjectionOutcome[]>;

  async function inPages(contacts: OutgoingContact[], untilMs: number, work: Work): Promise<InjectionOutcome[] | Failed> {
    const outcomes: InjectionOutcome[] = [];
    for (let from = 0; from < contacts.length; from += rowsPerTransaction) {
      const page = contacts.slice(from, from + rowsPerTransaction);
      const result = now() >= untilMs ? { failed: 'window_over' } : await inTransaction(page, work);
      // What is behind the failure has not been tried: it waits like the failed page.
      if ('failed' in result)
        return from === 0 ? result : [...outcomes, ...contacts.slice(from).map((contact) => toPending(contact, `mysql ${result.failed}`))];
      outcomes.push(...result);
    }
    return outcomes;
  }

  async function inTransaction(page: OutgoingContact[], work: Work): Promise<InjectionOutcome[] | Failed> {
    const started = now();
    for (let tries = 1; ; tries += 1) {
      let lent: Lent | undefined;
      let committing = false;
      try {
        lent = await connections.lend();
        const schema = await demandSchema(lent.ask);
        await lent.ask('START TRANSACTION');
        const outcomes = await work(lent.ask, schema, page);
        if (now() - started >= transactionMs) throw new EngineError('unavailable', 'transaction_too_slow');
        committing = true;
        await lent.ask('COMMIT');
        lent.release();
        return outcomes;
      } catch (error) {
        lent?.destroy();
        if (committing && !surelyRolledBack.has(codeOf(error)))
          return page.map(({ contactId }) => ({ contactId, outcome: 'unknown', reason: 'mysql_commit_cut' }));
        if (schemaHasMoved.test(codeOf(error))) probed = undefined;
        const again = healsAtOnce.has(codeOf(error)) && tries < triesPerPage && now() - started < transactionMs / 2;
        if (!again) return { failed: toFailedReason(error) };
      }
    }
  }

  /** Throws `unavailable` when the tables cannot be read: no lists and not knowing are two things. */
  async function lists(): Promise<FoundList[]> {
    const found = await reading((ask, schema) => createListTables(ask, schema).lists());
    if ('failed' in found) throw new EngineError('unavailable', `MySQL of the instance: ${found.failed}`);
    return found;
  }

  /** By list number; undefined when counting takes too long. */
  async function countSubscribers(): Promise<Map<number, number> | undefined> {
    const counted = await reading((ask, schema) => createListTables(ask, schema).countSubscribers());
    return 'failed' in counted ? undefined : counted;
  }

  function readSubscribers(
    listId: number,
    page: { afterId: number; limit: number },
  ): Promise<{ subscribers: StandingSubscriber[]; throughId: number | undefined } | Failed> {
    return reading((ask, schema) => createListTables(ask, schema).readSubscribers(listId, page));
  }

  function findSubscribers(listId: number, emails: string[]): Promise<StandingSubscriber[] | Failed> {
    return reading((ask, schema) => createListTables(ask, schema).findSubscribers(listId, emails));
  }

  async function reading<T extends object>(read: (ask: Ask, schema: Schema) => Promise<T>): Promise<T | Failed> {
    let lent: Lent | undefined;
    try {
      lent = await connections.lend();
      const found = await read(lent.ask, await demandSchema(lent.ask));
      lent.release();
      return found;
    } catch (error) {
      lent?.destroy();
      return { failed: toFailedReason(error) };
    }
  }

  /** Looked at before the first statement, and again when the tables turn out to be others. Reads are refused as well: who reads a layout that is not ours reads lies. */
  async function demandSchema(ask: Ask): Promise<Schema> {
    const troubled = probed && ('problem' in probed.schema || probed.schema.cannotWrite !== undefined);
    if (!probed || (troubled && performance.now() - probed.at > problemAgeMs))
      probed = { schema: await probeSchema(ask, settings), at: performance.now() };
    const { schema } = probed;
    if ('problem' in schema) throw new EngineError('contract', schema.problem);
    return schema;
  }
}

const toFailedReason = (error: unknown) => toReason(error, 'mysql_error');

const toPending = (contact: OutgoingContact, reason: string): InjectionOutcome => ({
  contactId: contact.contactId,
  outcome: 'pending',
  reason,
});
