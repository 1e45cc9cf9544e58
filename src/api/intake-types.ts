import type { BatchCounts } from '../domain/batch';
import type { Principal } from './auth';

export type IntakeInput = {
  caller: Principal;
  sourceId: string;
  sourceConfig?: Record<string, unknown> | undefined;
  idempotencyKey?: string | undefined;
  bodyHash?: string | undefined;
};
export type Accepted = { batchId: string; received: number; counts?: BatchCounts; replayed: boolean };

/** Where deliveries come in. Everything it resolves is committed; refusals are EngineErrors. */
export type Intake = {
  accept: (input: IntakeInput & { rows: string[]; wait: boolean }) => Promise<Accepted>;
  /** A batch whose rows follow in pieces; accepted when `finish` resolves. */
  openStream: (input: IntakeInput) => Promise<{
    batchId: string;
    append: (rows: string[]) => Promise<void>;
    finish: () => Promise<{ received: number; counts?: BatchCounts }>;
    abort: () => Promise<void>;
  }>;
};
