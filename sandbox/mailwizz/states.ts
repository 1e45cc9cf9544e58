import type { Pool } from 'mysql2/promise';
import type { Door } from './door';
import type { Faults } from './faults';
import { change, select } from './sql';

/** Makes "API down" and "MySQL down" so, or undoes them, one change after the other. */
export function createStates({ api, pool, faults, user }: { api: Door; pool: Pool; faults: Faults; user: string }) {
  let locked = false;
  let ended = false;
  let last: Promise<void> = Promise.resolve();
  return { applyStates, end };

  function applyStates(): Promise<void> {
    if (!ended) last = last.then(apply, apply);
    return last;
  }

  /** A call that ends late must not open what has been shut for good. */
  async function end(): Promise<void> {
    ended = true;
    await last.catch(() => undefined);
  }

  async function apply(): Promise<void> {
    await (faults.isOn('down') ? api.close() : api.open());
    const lock = faults.isOn('mysql_down');
    if (lock === locked) return;
    await pool.query(`ALTER USER '${user}'@'%' ACCOUNT ${lock ? 'LOCK' : 'UNLOCK'}`);
    locked = lock;
    if (lock) await killConnections();
  }

  async function killConnections(): Promise<void> {
    const open = await select<{ id: number }>(pool, 'SELECT ID id FROM information_schema.PROCESSLIST WHERE USER = ?', [user]);
    // One that has gone by itself meanwhile is what we want.
    for (const { id } of open) await change(pool, `KILL CONNECTION ${id}`).catch(() => undefined);
  }
}
