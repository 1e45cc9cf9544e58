import type { Engine } from './engine';
import { until } from './engine';

/** Orders about campaigns as an operator gives them; every answer is checked. */
export function campaignsOf(engine: Engine) {
  const call = async (method: string, path: string, body?: unknown, status = 200) => {
    const answer = await answered(method, path, body);
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  /** 503 says that the run did not answer in time, as on a busy machine: the order is repeated, as the docs tell. */
  async function answered(method: string, path: string, body: unknown) {
    for (let tries = 1; ; tries += 1) {
      const answer = await engine.call(method, `/api/v1${path}`, body);
      if (answer.status !== 503 || !path.startsWith('/campaigns/') || tries === 10) return answer;
    }
  }
  const get = (id: number) => call('GET', `/campaigns/${id}`);
  return {
    get,
    makeTemplate: async () => (await call('POST', '/email-templates', { name: 'A template', subject_line: 'Hello {FNAME}', html_content: '<p>Hello {FNAME}</p><a href="https://shop.example/">Shop</a> <a href="{UNSUBSCRIBE_URL}">Leave</a>' }, 201)).id as number,
    create: async (templateId: number, changes: object = {}) =>
      call('POST', '/campaigns', { name: 'A campaign', mailwizz_instance: 'client-1', mailwizz_list_id: 12, email_template_id: templateId, from_name: 'Ana', from_email: 'ana@client1.example', target_category: 'avocat', ...changes }, 201),
    order: (id: number, name: string, body?: object) => call('POST', `/campaigns/${id}/${name}`, body),
    refused: (id: number, name: string, body?: object) => call('POST', `/campaigns/${id}/${name}`, body, 409),
    call,
    /** The campaign when it is so; what it is instead is told. */
    until: async (id: number, check: (campaign: any) => boolean, what: string, limitMs = 60_000) => {
      let campaign: any;
      await until(async () => check((campaign = await get(id))), what, limitMs).catch((error: unknown) => {
        throw new Error(`${String(error)} ${JSON.stringify(campaign)}`);
      });
      expect(campaign.recipients.audience).toBe(campaign.recipients.sent + campaign.recipients.skipped + campaign.recipients.failed + campaign.recipients.pending);
      return campaign;
    },
  };
}
