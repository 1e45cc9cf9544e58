import { destination, pino } from 'pino';

/** Facts that may be logged: ids, codes and counts. What is not on the list is left out, so that no address slips in. */
const allowed = [
  'activity', 'attempt', 'batchId', 'code', 'contactId', 'count', 'durationMs', 'error', 'instanceId', 'kind', 'left', 'level', 'listId', 'lost', 'method',
  'path', 'reason', 'requestId', 'rule', 'sourceId', 'status', 'taskQueue', 'url', 'workflowId',
] as const;

export type Log = Record<'debug' | 'info' | 'warn' | 'error', (facts: object, message: string) => void>;

export function createLog(level: string): Log {
  // To stderr: stdout belongs to what a command answers.
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination(2));
  const pick = (facts: object) => Object.fromEntries(Object.entries(facts).filter(([name]) => allowed.some((known) => known === name)));
  return {
    debug: (facts, message) => logger.debug(pick(facts), message),
    info: (facts, message) => logger.info(pick(facts), message),
    warn: (facts, message) => logger.warn(pick(facts), message),
    error: (facts, message) => logger.error(pick(facts), message),
  };
}
