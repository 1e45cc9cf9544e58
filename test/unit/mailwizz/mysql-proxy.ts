import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** `before`: the COMMIT never arrives. `after`: it arrives, and its answer is lost. */
export type Cut = 'before' | 'after' | undefined;

/** Stands between us and MySQL, and cuts the connection around the COMMITs that `cut` names. */
export async function startMysqlProxy(port: number, cut: (commit: number) => Cut) {
  let commits = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    let mute = false;
    upstream.on('data', (part) => !mute && client.write(part)).on('close', () => client.destroy());
    client.on('close', () => upstream.end()).on('data', (part) => {
      // A query packet: four bytes of header, the command 3, the text.
      const rule = part[4] === 3 && part.toString('latin1', 5, 11) === 'COMMIT' ? cut((commits += 1)) : undefined;
      if (rule === 'before') return void [client, upstream].forEach((socket) => socket.destroy());
      upstream.write(part);
      if (rule === 'after') {
        mute = true;
        // The answer shows that it was done.
        upstream.once('data', () => client.destroy());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    commits: () => commits,
    stop: () =>
      new Promise<void>((resolve) => {
        sockets.forEach((socket) => socket.destroy());
        server.close(() => resolve());
      }),
  };
}
