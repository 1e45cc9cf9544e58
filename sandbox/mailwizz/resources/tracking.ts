import { error, success } from '../answers';
import type { Campaign } from '../campaigns/store';
import type { Context } from '../context';
import { textAt } from '../form';
import { recordReaction } from '../sending/reactions';
import type { Answer, Call, Route } from '../router';
import { select } from '../sql';
import { withCampaign } from './campaigns';

export const trackingRoutes: Route[] = [
  {
    method: 'GET',
    path: '/campaigns/{campaign_uid}/track-opening/{subscriber_uid}',
    name: 'track-opening',
    handle: withCampaign(trackOpening),
  },
  { method: 'GET', path: '/campaigns/{campaign_uid}/track-url/{subscriber_uid}/{hash}', name: 'track-url', handle: withCampaign(trackUrl) },
  {
    method: 'POST',
    path: '/campaigns/{campaign_uid}/track-unsubscribe/{subscriber_uid}',
    name: 'track-unsubscribe',
    handle: withCampaign(trackUnsubscribe),
  },
];

const done = () => success({ data: {} });

async function trackOpening(context: Context, campaign: Campaign, call: Call): Promise<Answer> {
  const subscriberId = await findSubscriberId(context, campaign, call);
  if (subscriberId === undefined) return noSubscriber;
  await recordReaction(context, { campaignId: campaign.campaign_id, subscriberId, kind: 'open', at: context.now() });
  return done();
}

async function trackUrl(context: Context, campaign: Campaign, call: Call): Promise<Answer> {
  const subscriberId = await findSubscriberId(context, campaign, call);
  if (subscriberId === undefined) return noSubscriber;
  const hash = call.params['hash'] ?? '';
  const [url] = await select<{ url_id: number; destination: string }>(
    context.pool,
    'SELECT url_id, destination FROM mw_campaign_url WHERE campaign_id = ? AND hash = ?',
    [campaign.campaign_id, hash],
  );
  if (!url) return error(404, 'The url hash does not exist.');
  await recordReaction(context, { campaignId: campaign.campaign_id, subscriberId, kind: 'click', urlId: url.url_id, at: context.now() });
  if (context.switches.track_url_answer === 'empty') return done();
  const trackUrl = `https://${context.instanceId}.sandbox.test/campaigns/${campaign.campaign_uid}/track-url/${call.params['subscriber_uid'] ?? ''}/${hash}`;
  return success({ data: { record: { track_url: trackUrl, destination: url.destination } } });
}

async function trackUnsubscribe(context: Context, campaign: Campaign, call: Call): Promise<Answer> {
  const subscriberId = await findSubscriberId(context, campaign, call);
  if (subscriberId === undefined) return noSubscriber;
  const [ip, agent, reason] = ['ip_address', 'user_agent', 'reason'].map((key) => textAt(call.form, key));
  await recordReaction(context, {
    campaignId: campaign.campaign_id,
    subscriberId,
    kind: 'unsubscribe',
    at: context.now(),
    ...(ip !== undefined && { ip }),
    ...(agent !== undefined && { agent }),
    ...(reason !== undefined && { detail: reason }),
  });
  return done();
}

const noSubscriber = error(404, 'The subscriber does not exist in this list.');

async function findSubscriberId({ pool }: Context, { list_id }: Campaign, { params }: Call): Promise<number | undefined> {
  const [row] = await select<{ subscriber_id: number }>(
    pool,
    'SELECT subscriber_id FROM mw_list_subscriber WHERE list_id = ? AND subscriber_uid = ?',
    [list_id, params['subscriber_uid']],
  );
  return row?.subscriber_id;
}
