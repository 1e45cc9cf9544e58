import { createServer } from 'node:http';

/** sendMessage of the Bot API, kept in memory; GET /messages reads them. */
export function startTelegram(port: number): Promise<{ url: string; stop: () => Promise<void> }> {
  const messages: unknown[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (part: Buffer) => (body += part.toString('utf8')));
    req.on('end', () => {
      res.writeHead(200, { 'content-type': 'application/json' });
      if (req.url === '/messages') return res.end(JSON.stringify(messages));
      messages.push(body);
      return res.end(JSON.stringify({ ok: true, result: { message_id: messages.length } }));
    });
  });
  return new Promise((resolve, reject) =>
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${port}`, stop: () => new Promise((closed) => server.close(() => closed())) })),
  );
}
