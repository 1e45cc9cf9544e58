import { findTemplate, findTemplateVersion } from '../../db/queries/email-templates';
import { findInstance, type Instance } from '../../db/queries/instances';
import { type Campaign, listVariants, type Variant } from '../../db/queries/campaigns';
import type { Db } from '../../db/client';
import { type MailHead, toMailHead } from '../domain/campaign-content';
import { EngineError } from '../domain/errors';
import type { TemplateContent } from '../domain/template';

export type Mail = { key: Variant['key'] | null; templateId: number | null; head: MailHead; content: TemplateContent | undefined };

/** What every variant would say today; once the campaign has begun, what its versions said then. */
export async function readMails(db: Db, campaign: Campaign, instance: Instance): Promise<Mail[]> {
  const variants = campaign.abTest === null ? [] : await listVariants(db, campaign.id);
  const mails: Mail[] = [];
  for (const variant of variants.length === 0 ? [undefined] : variants) {
    const templateId = variant?.emailTemplateId ?? campaign.emailTemplateId;
    const version = variant?.emailTemplateId == null ? campaign.templateVersion : variant.templateVersion;
    const template = templateId === null ? undefined : version === null ? await findTemplate(db, templateId) : await findTemplateVersion(db, { templateId, version });
    const head = toMailHead({ campaign, variant, template, instance: { fromName: instance.defaultFromName, fromEmail: instance.defaultFromEmail } });
    const content = template && { subject: head.subject ?? template.subjectLine, html: template.htmlContent, text: template.plainTextContent };
    mails.push({ key: variant?.key ?? null, templateId, head, content });
  }
  return mails;
}

export async function getInstance(db: Db, campaign: Campaign): Promise<Instance> {
  const instance = await findInstance(db, campaign.mailwizzInstance);
  if (!instance) throw new EngineError('notFound', `instance ${campaign.mailwizzInstance} not found`);
  return instance;
}
