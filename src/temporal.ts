import { readFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import type { Config } from './config';

/** The usual: address, API key or mTLS. The same shape serves the client and the worker. */
export function connectionOptions({ temporal }: Pick<Config, 'temporal'>) {
  const { address, apiKey, tls } = temporal;
  return {
    address,
    ...(apiKey !== undefined && { apiKey }),
    ...(tls !== undefined
      ? {
          tls: {
            ...(tls.ca !== undefined && { serverRootCACertificate: readFileSync(tls.ca) }),
            ...(tls.cert !== undefined && tls.key !== undefined && { clientCertPair: { crt: readFileSync(tls.cert), key: readFileSync(tls.key) } }),
          },
        }
      : apiKey !== undefined && { tls: true }),
  };
}

/** Lazy: the API starts and takes contacts in while Temporal is away. */
export function openTemporal(config: Pick<Config, 'temporal'>): { client: Client; connection: Connection; close: () => Promise<void> } {
  const connection = Connection.lazy({ ...connectionOptions(config), connectTimeout: '5s' });
  return { client: new Client({ connection, namespace: config.temporal.namespace }), connection, close: () => connection.close() };
}
