import { listBounceCategories } from '../../db/queries/bounce-rules';
import { loadStoreConfig } from '../config';
import { importAccounting, type ImportSums, NoAccounting } from './accounting-file';
import type { Command } from './commands';
import { withDatabase } from './database';
import { readSettings } from './settings';

const toldEveryMs = 2_000;

export const pmtaCommand: Command = {
  summary: "take over PowerMTA's accounting files",
  help: `email-engine pmta FILE… [--again] [--json]
Reads accounting files of PowerMTA (CSV with a header line): deliveries (d), bounces (b, rb) and complaints (f) become events, everything else is passed
over. A file is taken up where it was left, also when it was renamed since, so a job may run it every minute; what was read before counts once.
--again reads from the beginning. What cannot be read goes to GET /api/v1/webhook-quarantine. --json prints one line a file.
Exit 0 when every file was read, 1 when one is no accounting file or not there, 2 without a FILE.`,
  options: { options: { again: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } } },
  async run(values, paths) {
    if (paths.length === 0) {
      console.error('Name at least one FILE; email-engine pmta --help tells more.');
      return 2;
    }
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
    return withDatabase(loadStoreConfig(readSettings()).databaseUrl, async (db) => {
      const categories = await listBounceCategories(db);
      let good = true;
      for (const path of paths) {
        try {
          const sums = await importAccounting(path, { db, categories, again: values.get('again') === true, signal: stop.signal, onProgress: teller(path) });
          console.log(values.get('json') === true ? JSON.stringify({ file: path, ...sums }) : `${path}: ${toText(sums)}`);
        } catch (error) {
          if (!(error instanceof NoAccounting) && !isFileTrouble(error)) throw error;
          console.error(error.message);
          good = false;
        }
      }
      return good ? 0 : 1;
    });
  },
};

/** Long work says how far it is. */
function teller(path: string) {
  let toldAt = Date.now();
  return (sums: ImportSums, share: number) => {
    if (Date.now() < toldAt + toldEveryMs) return;
    toldAt = Date.now();
    console.error(`${path}: ${Math.floor(100 * share)} %, ${sums.records} records`);
  };
}

const toText = ({ records, stored, copies, unmatched, passed, unreadable }: ImportSums) =>
  `${records} records: ${stored} new events, ${copies} known before, ${unmatched} of campaigns or people not known yet, ${passed} passed over, ${unreadable} unreadable`;

const isFileTrouble = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && 'code' in error && ['ENOENT', 'EACCES', 'EISDIR', 'EPERM'].includes(String(error.code));
