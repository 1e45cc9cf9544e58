import { createServer, type RequestListener, type Server } from 'node:http';

/** An upload may last as long as it moves: no limit on a whole request, but on a connection that stands still. */
export function createHttpServer(app: RequestListener, { idleLimitMs }: { idleLimitMs: number }): Server {
  return createServer({ requestTimeout: 0, headersTimeout: 20_000, keepAliveTimeout: 65_000, maxHeaderSize: 16_384 }, app).setTimeout(idleLimitMs);
}
