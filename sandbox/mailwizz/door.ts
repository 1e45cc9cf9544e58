import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** A listener that can really be shut: a client then gets "connection refused", as from a server that is down. */
export function createDoor(port: number, handler: (req: IncomingMessage, res: ServerResponse) => void) {
  let open: { server: Server; sockets: Set<Socket> } | undefined;
  return { open: listen, close };

  function listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (open) return resolve();
      const sockets = new Set<Socket>();
      const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, handler);
      server.on('connection', (socket: Socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      });
      open = { server, sockets };
      server.once('error', (error) => {
        open = undefined;
        reject(error);
      });
      server.listen(port, '127.0.0.1', 1024, resolve);
    });
  }

  function close(): Promise<void> {
    return new Promise((resolve) => {
      if (!open) return resolve();
      const { server, sockets } = open;
      open = undefined;
      server.close(() => resolve());
      // Answers on their way are let out first.
      setTimeout(() => sockets.forEach((socket) => socket.destroy()), 50);
    });
  }
}
export type Door = ReturnType<typeof createDoor>;

/** Undefined when the body is larger than `limit`. */
export async function readBody(req: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of req) {
    if (!Buffer.isBuffer(part)) continue;
    size += part.length;
    if (size <= limit) parts.push(part);
  }
  return size <= limit ? Buffer.concat(parts) : undefined;
}
