import { connect, isIP, Socket } from 'node:net';
import mysql, { type Connection, type Pool, type PoolConnection, type RowDataPacket, type SslOptions } from 'mysql2/promise';
import { EngineError } from '../../domain/errors';
import { createGuard, toBareHost } from './guard';
import { codeOf } from './reasons';
import type { MysqlSettings } from './types';

/** Runs one statement with a time limit; values go in as parameters. */
export type Ask = (sql: string, values?: unknown[]) => Promise<RowDataPacket[]>;
export type Lent = { ask: Ask; release: () => void; destroy: () => void };
export type Connections = ReturnType<typeof createConnections>;

const statementMs = 10_000;
const connectMs = 5_000;
const closeMs = 3_000;
const connectionsAtOnce = 4;
/**
 * Strict: a value that does not fit is an error, never cut. Set whole, as NO_BACKSLASH_ESCAPES would open the quoting of the driver. The lock wait is
 * shorter than our statement, so that the server's word arrives before we give up.
 */
const session = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 8";

/** A few connections to the tables of one instance, each made ready before its first statement; hosts are guarded as those of the API. */
export function createConnections({ host, port, database, user, password, tls }: MysqlSettings, allowPrivate: boolean) {
  const guard = createGuard({ allowPrivate, timeoutMs: connectMs });
  const ready = new WeakSet<Connection>();
  // Encrypted wherever the server can; proven only when asked for, since most MySQL servers prove themselves to nobody.
  let pool = open({ rejectUnauthorized: tls ?? false, verifyIdentity: tls ?? false });

  return { lend, close };

  /** A server that has fallen silent does not hold us back. */
  async function close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeMs);
    });
    await Promise.race([pool.end(), over]).finally(() => clearTimeout(timer));
  }

  /** Give it back with `release`, or with `destroy` after any failure: the server then rolls back whatever it still held. */
  async function lend(): Promise<Lent> {
    const connection = await take();
    const ask = toAsk(connection);
    try {
      if (!ready.has(connection.connection)) await ask(session);
      ready.add(connection.connection);
    } catch (error) {
      connection.destroy();
      throw error;
    }
    return { ask, release: () => connection.release(), destroy: () => connection.destroy() };
  }

  async function take(): Promise<PoolConnection> {
    const used = pool;
    try {
      return await used.getConnection();
    } catch (error) {
      if (tls || codeOf(error) !== 'handshake_no_ssl_support') throw error;
      if (pool === used) {
        pool = open(undefined);
        void used.end().catch(() => undefined);
      }
      return pool.getConnection();
    }
  }

  function open(ssl: SslOptions | undefined): Pool {
    return mysql.createPool({
      ...{ host, port, database, user, password },
      ...{
        connectionLimit: connectionsAtOnce,
        queueLimit: 100,
        connectTimeout: connectMs,
        charset: 'utf8mb4_general_ci',
        multipleStatements: false,
        stringifyObjects: true,
      },
      ...(ssl && { ssl }),
      stream: dial,
    });
  }

  function dial(): Socket {
    // The driver does not compare an address with the certificate.
    const unprovable = tls && isIP(toBareHost(host)) !== 0 ? new EngineError('invalid', 'tls_needs_a_host_name') : undefined;
    const refusal = guard.check(host) ?? unprovable;
    if (refusal) return new Socket().destroy(refusal);
    const socket = connect({
      host: toBareHost(host),
      port,
      lookup: guard.lookup,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: 1_000,
      keepAlive: true,
    });
    return socket.setNoDelay(true);
  }
}

/** With a time limit of our own: that of the driver keeps its timer when the connection dies. Who meets the limit destroys the connection. */
const toAsk =
  (connection: PoolConnection): Ask =>
  async (sql, values = []) => {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_, refuse) => {
      timer = setTimeout(() => refuse(new EngineError('unavailable', 'statement_too_slow')), statementMs);
    });
    try {
      const [rows] = await Promise.race([connection.query<RowDataPacket[]>({ sql, values }), over]);
      // Writing answers with a header instead of rows.
      return Array.isArray(rows) ? rows : [];
    } finally {
      clearTimeout(timer);
    }
  };
