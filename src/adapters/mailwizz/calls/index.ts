import type { Api } from '../api';
import { createCampaignLogCalls } from './campaign-logs';
import { createCampaignCalls } from './campaigns';
import { createFieldCalls } from './fields';
import { createListCalls } from './lists';
import { createSegmentCalls } from './segments';
import { createSubscriberCalls } from './subscribers';
import { createTemplateCalls } from './templates';
import { createTransactionalCalls } from './transactional';

export type Calls = ReturnType<typeof createCalls>;

/** Everything the hub asks of one MailWizz, by noun. Whether the calls mind the door is up to the `api` they get. */
export const createCalls = (api: Api) => ({
  lists: createListCalls(api),
  fields: createFieldCalls(api),
  segments: createSegmentCalls(api),
  subscribers: createSubscriberCalls(api),
  templates: createTemplateCalls(api),
  campaigns: createCampaignCalls(api),
  campaignLogs: createCampaignLogCalls(api),
  transactional: createTransactionalCalls(api),
});
