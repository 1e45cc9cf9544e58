import type { RunningInstance } from '../../sandbox/mailwizz/instance';

type Instance = Omit<RunningInstance, 'stop'>;
export type SandboxInfo = { instances: Instance[]; dns: string; smtp_port: number };

export function sandboxInfo(): SandboxInfo {
  const text = process.env['TEST_SANDBOX'];
  if (!text) throw new Error('Run the tests with npm test: it starts the sandbox they need.');
  return JSON.parse(text) as SandboxInfo;
}

/** The control side of one stand-in: faults, and the truth about what is stored. */
export function controlOf(instance: Instance) {
  const call = async (method: string, path: string, body?: object) => {
    const answer = await fetch(instance.control_url + path, { method, ...(body && { body: JSON.stringify(body) }) });
    return (await answer.json()) as any;
  };
  return {
    fault: (fault: { route?: string; fault: string; count?: number; after?: number; probability?: number } & Record<string, unknown>) => call('POST', '/faults', { route: '*', ...fault }),
    heal: () => call('DELETE', '/faults'),
    empty: () => call('DELETE', '/subscribers'),
    calls: () => call('GET', '/calls') as Promise<Record<string, number>>,
    blacklist: (email: string) => call('POST', '/blacklist', { email }),
    clock: (clock: { mode?: 'auto' | 'manual'; every_ms?: number; batch?: number }) => call('POST', '/clock', clock),
    tick: (max?: number) => call('POST', '/tick', max === undefined ? {} : { max }),
    rates: (rates: object) => call('PUT', '/rates', rates),
    campaigns: async (marker: string) => ((await call('GET', '/truth/campaigns')).campaigns as { campaign_uid: string; name: string; status: string; audience: number; sent: number; errors: number }[]).filter(({ name }) => name.includes(marker)),
    sentTo: async (uid: string) => ((await call('GET', `/truth/sent?campaign_uid=${uid}`)).sent as { email: string }[]).map(({ email }) => email),
    truth: async () => (await call('GET', '/truth')).lists as { list_id: number; subscribers: number; distinct_emails: number }[],
    subscribers: (listId: number) => call('GET', `/truth/subscribers?list_id=${listId}`) as Promise<{ email: string; subscriber_uid: string; status: string }[]>,
  };
}
