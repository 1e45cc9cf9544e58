import type { Context } from './context';
import type { FaultKind, FaultSettings } from './faults';
import type { PhpMap } from './form';

export type Answer = { code: number; body: unknown; headers?: Record<string, string> };
export type Call = {
  method: string;
  path: string;
  params: Record<string, string>;
  query: PhpMap;
  form: PhpMap;
  fault: FaultKind | undefined;
  faultSettings: FaultSettings;
  /** Aborted when the client has gone away before it was answered. */
  gone: AbortSignal;
};
export type Verb = 'GET' | 'POST' | 'PUT' | 'DELETE';
export type Route = { method: Verb; path: string; name: string; handle: (context: Context, call: Call) => Promise<Answer> };

export type Found = { route: Route; params: Record<string, string> } | { verbs: Verb[] } | undefined;
type Entry = { route: Route; segments: string[] };

/** `{name}` stands for a uid or a number, `{name*}` for any text without a slash; fixed words win over both. */
export function createRouter(routes: Route[]) {
  const byLength = new Map<number, Entry[]>();
  for (const route of routes) {
    const segments = route.path.split('/');
    byLength.set(segments.length, [...(byLength.get(segments.length) ?? []), { route, segments }].sort(moreFixedFirst));
  }

  return function find(method: string, path: string): Found {
    const segments = path.split('/');
    const matching = (byLength.get(segments.length) ?? []).flatMap(({ route, segments: pattern }) => {
      const params = match(pattern, segments);
      return params ? [{ route, params }] : [];
    });
    const known = matching.filter(({ route }) => route.path === matching[0]?.route.path);
    if (known.length === 0) return undefined;
    return known.find(({ route }) => route.method === method) ?? { verbs: known.map(({ route }) => route.method) };
  };
}

const isParam = (segment: string) => segment.startsWith('{');
const rank = ({ segments }: Entry) => segments.map((segment) => (isParam(segment) ? '1' : '0')).join('');
const moreFixedFirst = (a: Entry, b: Entry) => Number(rank(a)) - Number(rank(b));

function match(pattern: string[], segments: string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, wanted] of pattern.entries()) {
    const given = segments[index] ?? '';
    if (!isParam(wanted)) {
      if (wanted !== given) return undefined;
      continue;
    }
    const free = wanted.endsWith('*}');
    if (free ? given === '' : !/^[a-z0-9]+$/.test(given)) return undefined;
    params[wanted.slice(1, free ? -2 : -1)] = free ? decodeURIComponent(given) : given;
  }
  return params;
}
