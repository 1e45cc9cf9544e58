import { z } from 'zod';

const flag = (otherwise: boolean) => z.boolean().default(otherwise);
const code = (...codes: [number, ...number[]]) => z.literal(codes).default(codes[0]);
const statuses = z
  .array(z.enum(['draft', 'pending-sending', 'processing', 'sending', 'paused', 'sent', 'blocked', 'pending-approve']))
  .max(8);

/** What is not documented about campaigns, sending, webhooks and transactional e-mails. */
export const campaignSwitches = {
  pause_elsewhere: z
    .enum(['unchanged', 'refused'])
    .default('unchanged')
    .describe('pause-unpause on a campaign that neither runs nor is paused: answers its status, or refuses'),
  unpause_to: z.enum(['sending', 'pending-sending']).default('sending').describe('status of a campaign that goes on'),
  sending_heeds_send_at: flag(false).describe('a campaign in `sending` waits for send_at too; off: it sends at once'),
  mark_sent_from: statuses
    .default(['pending-sending', 'processing', 'sending', 'paused'])
    .describe('statuses that mark-sent is allowed from'),
  update_from: statuses.default(['draft', 'pending-sending', 'paused']).describe('statuses that PUT is allowed from'),
  delete_from: statuses
    .default(['draft', 'pending-sending', 'paused', 'sent', 'blocked', 'pending-approve'])
    .describe('statuses that DELETE is allowed from'),
  delete_at_once: flag(false).describe('DELETE removes the rows at once; off: pending-delete, removed by the cron'),
  refusal_code: code(400, 409, 422).describe('code when a status does not allow an order'),
  copy_status: z.enum(['draft', 'paused', 'pending-sending']).default('draft').describe('status of a copy'),
  max_campaigns: z.int().min(0).max(1_000_000).default(0).describe('campaigns the customer may have; 0: no quota'),
  unsubscribe_tag_required: flag(false).describe('content without [UNSUBSCRIBE_URL] is refused'),
  campaign_type_in_list: flag(true).describe('GET /campaigns shows the type'),
  list_count_text: flag(false).describe('subscribers_count of a campaign is text; off: an integer'),
  rate_decimals: z.int().min(0).max(6).default(2).describe('decimals of the rates in the stats'),
  rate_base: z
    .enum(['success', 'processed'])
    .default('success')
    .describe('what opens, clicks, bounces, complaints and unsubscribes are a share of'),
  log_order: z.enum(['newest', 'oldest']).default('newest').describe('order of campaigns, logs and transactional e-mails'),
  log_blacklisted: flag(true).describe('an address on a blacklist gets a delivery log `blacklisted`; off: it is passed over without one'),
  track_url_answer: z.enum(['record', 'empty']).default('record').describe('track-url answers the destination, or an empty map'),
  template_pages: flag(false).describe('GET /templates has page fields'),
  transactional_shape: z.enum(['docs', 'openapi']).default('docs').describe('texts and customer_id, or integers and customer_uid'),
  soft_bounce_limit: z.int().min(1).max(1_000).default(5).describe('soft bounces that blacklist a subscriber'),
  webhook_retries: z.int().min(0).max(100).default(5).describe('repeats of a webhook that failed'),
  webhook_retry_seconds: z.int().min(0).max(86_400).default(3_600).describe('seconds between two attempts at a webhook'),
  webhook_timeout_ms: z.int().min(10).max(60_000).default(5_000).describe('how long a webhook waits for its answer'),
  webhook_body: z.enum(['json', 'form']).default('json').describe('content type of native webhooks'),
  click_url_key: z
    .enum(['event.url', 'event.destination', 'url.attributes', 'none'])
    .default('event.url')
    .describe('where a native click webhook carries the URL'),
};
