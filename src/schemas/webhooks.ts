import { z } from 'zod';
import { type BounceClass, bounceClasses, type MailEvent, type MailEventType } from '../domain/mail-event';
import { type Reception, toMailEvent, type Unreadable } from './mail-report';

/** The seven addresses of specification 6.6; the address says what happened. */
export const webhookEvents = {
  'email-sent': 'sent',
  'email-delivered': 'delivered',
  'email-opened': 'opened',
  'email-clicked': 'clicked',
  'email-bounced': 'bounced',
  'email-unsubscribed': 'unsubscribed',
  'email-spam-report': 'spam_report',
} as const satisfies Record<string, MailEventType>;
export type WebhookEvent = keyof typeof webhookEvents;

/** Whoever sends may know more than we ask; what we use is judged field by field. */
export const webhookBody = z.looseObject({
  subscriber_uid: z.string().optional(),
  email: z.string().optional().describe('The address; one of subscriber_uid and email is needed'),
  campaign_uid: z.string().optional(),
  event_type: z.string().optional().describe('As the address says it, or left out'),
  timestamp: z.union([z.string(), z.number()]).optional().describe('ISO 8601 or unix seconds; the time of receipt when it is missing'),
  ip_address: z.string().optional(),
  user_agent: z.string().optional(),
  event_data: z.record(z.string(), z.unknown()).optional().describe('`bounce_type` hard, soft or internal; `url` of a click; anything else is kept'),
});

const map = z.looseObject({}).catch({});
const attributes = z.looseObject({ attributes: map }).transform((found) => found.attributes).catch({});
/** What MailWizz itself sends (mailwizz.md 6.1). */
const nativeBody = z.looseObject({ event: z.looseObject({ type: z.enum(['open', 'click']) }), subscriber: attributes, campaign: attributes, url: attributes.optional() });

type Source = { instanceId: string } & Reception;

/** Our own form of a report. */
export function readWebhook(event: WebhookEvent, item: unknown, source: Source): MailEvent | Unreadable {
    const found = map.parse(item);
    const type = webhookEvents[event];
    const told = typeof found['event_type'] === 'string' ? found['event_type'].toLowerCase().replaceAll('-', '_').replace(/^email_/, '') : type;
    if (told !== type && told !== '') return { unreadable: 'contradiction' };
    const data = map.parse(found['event_data']);
    return toMailEvent(
      {
        type, way: 'mailwizz_webhook', instanceId: source.instanceId, campaignUid: found['campaign_uid'], subscriberUid: found['subscriber_uid'], email: found['email'], time: found['timestamp'],
        bounceClass: type === 'bounced' ? toBounceClass(data['bounce_type'] ?? found['bounce_type']) : null,
        url: data['url'] ?? found['url'], ip: found['ip_address'], userAgent: found['user_agent'], data: without(data, ['url', 'bounce_type']),
      },
      source,
    );
}

/** What MailWizz sends by itself: opens and clicks. Its time has no zone; `timestamp` is when it was sent. */
export function readNative(item: unknown, source: Source): MailEvent | Unreadable {
    const parsed = nativeBody.safeParse(item);
    if (!parsed.success) return { unreadable: 'not_an_event' };
    const { event, subscriber, campaign, url } = parsed.data;
    return toMailEvent(
      {
        type: event.type === 'open' ? 'opened' : 'clicked', way: 'mailwizz_webhook', instanceId: source.instanceId, campaignUid: campaign['campaign_uid'], subscriberUid: subscriber['subscriber_uid'],
        email: subscriber['email'], time: event['date_added'], bounceClass: null, url: event['url'] ?? event['destination'] ?? url?.['destination'], ip: event['ip_address'], userAgent: event['user_agent'],
      },
      source,
    );
}

/** A soft bounce is the word for what nobody classed: it may heal, and many of them say something. */
const toBounceClass = (word: unknown): BounceClass => bounceClasses.find((known) => known === word) ?? 'soft';
const without = (data: Record<string, unknown>, keys: string[]) => Object.fromEntries(Object.entries(data).filter(([key]) => !keys.includes(key)));
