const settleLimitMs = 90_000;
const lookEveryMs = 200;

/** How the readers of the demo behave; the stand-in draws from a fixed seed. */
const rates = { delivery: { error: 0.02 }, hard_bounces: 0.01, opens: 0.35, clicks: 0.08, unsubscribes: 0.005, seed: 20260216 };

const template = {
  name: 'Demo: partnership',
  category: 'avocat',
  language: 'fr',
  subject_line: 'Partenariat pour {COMPANY}',
  html_content: '<p>Bonjour {FNAME},</p><p><a href="https://client1.example/partenariat">Notre proposition</a></p><p><a href="{UNSUBSCRIBE_URL}">Se désinscrire</a></p>',
};

/**
 * One campaign with an A/B test, through the public API, launched at once and sent by the stand-in. Every run of the demo makes a new one.
 * @returns {Promise<{ ok: boolean, figures: object }>} ok when it is completed, its sums add up and are those of the stand-in.
 */
export async function runCampaign({ call, instance, say }) {
  await fetch(`${instance.control_url}/rates`, { method: 'PUT', body: JSON.stringify(rates) });
  const made = await call('POST', '/api/v1/campaigns', {
    name: `Demo campaign of ${new Date().toISOString().slice(0, 19)}`,
    mailwizz_instance: instance.instance_id,
    mailwizz_list_id: 12,
    email_template_id: await findOrMakeTemplate(call),
    from_name: 'William - Client 1',
    from_email: 'contact@client1.example',
    target_category: 'avocat',
    ab_test: { variants: [{ subject_line: 'Partenariat pour {COMPANY}' }, { subject_line: 'Une question, {FNAME} ?' }], sample_percent: 40, test_minutes: 0.05, minimum_sample: 20 },
  });
  say(`\nCampaign ${made.campaign_id} to ${made.audience} contacts of ${instance.instance_id}, with a test of two subjects: launched`);
  await call('POST', `/api/v1/campaigns/${made.campaign_id}/launch`);
  const campaign = await settle(call, made.campaign_id, say);
  const truth = await readTruth(instance, campaign);
  const { audience, sent, skipped, failed, pending } = campaign.recipients;
  say(`  ${campaign.ab_decision?.reason ?? 'No variant was chosen.'}`);
  say(`  ${campaign.stats.opened} opened, ${campaign.stats.clicked} clicked, ${campaign.stats.bounced} bounced; ${truth.sent} mails to ${truth.readers} readers in the stand-in's own ledger`);
  const agreed = truth.campaigns === campaign.legs.length && truth.sent === sent && truth.errors === failed && truth.readers === sent;
  const ok = campaign.status === 'completed' && audience > 0 && audience === sent + skipped + failed + pending && pending === 0 && agreed;
  if (!ok) say(`  The campaign does not add up: it is ${campaign.status}, and MailWizz counts ${JSON.stringify(truth)}.`);
  return { ok, figures: { audience, sent, skipped, failed, pending } };
}

async function findOrMakeTemplate(call) {
  const { items } = await call('GET', `/api/v1/email-templates?q=${encodeURIComponent(template.name)}`);
  return items[0]?.id ?? (await call('POST', '/api/v1/email-templates', template)).id;
}

async function settle(call, id, say) {
  const until = Date.now() + settleLimitMs;
  for (let told = ''; ; ) {
    const campaign = await call('GET', `/api/v1/campaigns/${id}`);
    const line = campaign.held.length > 0 ? `  held: ${campaign.held.map(({ message }) => message).join(' ')}` : `  ${campaign.status}, ${campaign.recipients.sent} of ${campaign.recipients.audience} sent`;
    if (line !== told) say((told = line));
    if (campaign.status === 'completed' || campaign.held.length > 0 || Date.now() > until) return campaign;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

/** What the stand-in sent for these legs, whatever we believe. */
async function readTruth(instance, { legs }) {
  const uids = new Set(legs.map((leg) => leg.mailwizz_campaign_uid));
  const read = (path) => fetch(instance.control_url + path).then((answer) => answer.json());
  const campaigns = (await read('/truth/campaigns')).campaigns.filter(({ campaign_uid: uid }) => uids.has(uid));
  const readers = new Set();
  for (const { campaign_uid: uid } of campaigns) for (const { email } of (await read(`/truth/sent?campaign_uid=${uid}&limit=100000`)).sent) readers.add(email);
  const sum = (of) => campaigns.reduce((total, campaign) => total + campaign[of], 0);
  return { campaigns: campaigns.length, sent: sum('sent'), errors: sum('errors'), readers: readers.size };
}
