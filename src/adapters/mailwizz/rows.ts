import type { InjectionOutcome, OutgoingContact } from '../../domain/injection';
import { findUnfit, toEmailKey, toFields, type Widths } from './fields';

export type Row = { contact: OutgoingContact; values: ReadonlyMap<string, string> };

/** Contacts as a list takes them; those that MailWizz could not hold are rejected here, and an address is sent once. */
export function toRows(
  contacts: OutgoingContact[],
  known: ReadonlySet<string>,
  widths?: Widths,
): { rows: Row[]; judged: InjectionOutcome[] } {
  const rows: Row[] = [];
  const judged: InjectionOutcome[] = [];
  const seen = new Set<string>();
  for (const contact of contacts) {
    const { contactId } = contact;
    const values = toFields(contact, known, widths);
    const reason = findUnfit(values, widths);
    const key = toEmailKey(contact.email);
    if (reason !== undefined) judged.push({ contactId, outcome: 'rejected', reason });
    else if (seen.has(key)) judged.push({ contactId, outcome: 'pending', reason: 'same_address_in_page' });
    else rows.push({ contact, values });
    seen.add(key);
  }
  return { rows, judged };
}

/** PHP drops what is beyond 1,000 variables without a word. */
const variablesBelow = 900;
/** A call that was cut short by something else should not keep us small for ever. */
const answersToGrow = 20;

export type Sizing = ReturnType<typeof createSizing>;

/** How many rows a bulk call to one instance carries: below PHP's usual limit, and less where a lower one showed itself. */
export function createSizing() {
  let below = variablesBelow;
  let fullAnswers = 0;
  const variablesOf = (row: Row) => row.values.size + 1;

  return {
    /** Set when the installation is older than the bulk call. */
    bulkMissing: false,

    /** The rows of the next call, at least one. */
    take(rows: Row[], from: number): Row[] {
      let variables = 0;
      let to = from;
      for (; to < rows.length; to += 1) {
        const row = rows[to];
        variables += row ? variablesOf(row) : 0;
        if (variables >= below && to > from) break;
      }
      return rows.slice(from, to);
    },

    noteWhole(): void {
      fullAnswers += 1;
      if (fullAnswers % answersToGrow === 0) below = Math.min(variablesBelow, below * 2);
    },

    /** Only the first of the rows sent were answered: the rest was most likely dropped. */
    noteCut(answered: Row[]): void {
      fullAnswers = 0;
      below = Math.max(
        2,
        answered.reduce((sum, row) => sum + variablesOf(row), 0),
      );
    },

    /** The call was refused as a whole, perhaps for one of its rows: smaller calls let its neighbours through. */
    noteRefused(): void {
      fullAnswers = 0;
      below = Math.max(2, Math.floor(below / 2));
    },
  };
}
