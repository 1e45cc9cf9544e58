import type { NewRow } from '../../db/queries/intake';
import type { BatchCounts } from '../domain/batch';
import type { Principal } from './auth';

export type IntakeInput = {
  caller: Principal;
  sourceId: string;
  sourceConfig?: Record<string, unknown> | undefined;
  idempotencyKey?: string | undefined;
};
export type Accepted = { batchId: string; received: number; counts?: BatchCounts; replayed: boolean };

/** A delivery whose rows come in pieces; accepted when `finish` resolves. One of `finish` and `abort` ends it. */
export type Stream = {
  append: (rows: NewRow[]) => Promise<void>;
  finish: (end: { bodyHash: string | undefined; wait: boolean }) => Promise<Accepted>;
  abort: () => Promise<void>;
};

/** Where deliveries come in. Everything it resolves is committed; refusals are EngineErrors. */
export type Intake = {
  accept: (input: IntakeInput & { bodyHash: string | undefined; rows: string[]; wait: boolean }) => Promise<Accepted>;
  openStream: (input: IntakeInput) => Promise<Stream>;
};
