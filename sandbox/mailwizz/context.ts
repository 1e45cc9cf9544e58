import type { Pool } from 'mysql2/promise';
import type { AddressMutex } from './address-mutex';
import type { Faults } from './faults';
import type { FieldCache } from './field-cache';
import type { Switches } from './switches';

/** A mail that the instance would have sent by itself. */
export type SentMail = { kind: 'confirm'; list_id: number; subscriber_uid: string; email: string; at: string };

/** What a handler works with. */
export type Context = {
  /** The database of this instance. */
  pool: Pool;
  instanceId: string;
  switches: Switches;
  faults: Faults;
  fields: FieldCache;
  withAddresses: AddressMutex;
  mails: SentMail[];
  now: () => Date;
  customer: { customer_id: number; timezone: string };
  /** Between 0 and 1, the same sequence for the same instance. */
  random: () => number;
};
