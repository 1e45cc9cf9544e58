import { request as httpRequest } from 'node:http';

export type Reply = { code: number; headers: Record<string, string | string[] | undefined>; text: string; json: any };
type Options = { headers?: Record<string, string>; body?: string; timeoutMs?: number };

/** One request with exactly these bytes: no header is added, no redirect followed. Fails with the code of the network, or with "timeout". */
export function wire(method: string, url: string, { headers = {}, body, timeoutMs = 10_000 }: Options = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers: { ...headers, ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }) }, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('aborted', () => reject(Object.assign(new Error('cut'), { code: 'CUT', got: text })));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, headers: response.headers, text, json: parse(text) }));
    });
    const timer = setTimeout(() => request.destroy(new Error('timeout')), timeoutMs);
    request.on('close', () => clearTimeout(timer));
    request.on('error', reject);
    request.end(body);
  });
}

function parse(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const urlencoded = { 'content-type': 'application/x-www-form-urlencoded' };
export const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
