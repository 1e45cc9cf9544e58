import type { Request, RequestHandler } from 'express';
import { EngineError } from '../domain/errors';

/** Bodies are held several times over while they are read: this much of them keeps the process well below its memory. */
const roomBytes = 256 << 20;
/** No body that is held in memory is larger, and none says less about itself than this much. */
export const largestBody = 16 << 20;
const retryAfterMs = 1_000;

/** Bodies that are held in memory share one room: who finds it full comes again, and the process lives. Streams take none of it. */
export function createBodyRoom(room = roomBytes): RequestHandler {
  let taken = 0;
  return (req, res, next) => {
    const bytes = req.is('application/x-ndjson') ? 0 : bytesOf(req);
    if (taken + bytes > room) throw new EngineError('busy', 'bodies fill their room', { retryAfterMs, publicMessage: 'Too much is being received at the moment. Send it again.' });
    taken += bytes;
    res.once('close', () => (taken -= bytes));
    next();
  };
}

/** A body of no stated length, or one that is to be unpacked, may become as large as any. */
function bytesOf(req: Request): number {
  const { 'content-length': length, 'transfer-encoding': transfer, 'content-encoding': encoding } = req.headers;
  if (transfer !== undefined || encoding !== undefined) return largestBody;
  return Math.min(Number(length ?? 0), largestBody);
}
