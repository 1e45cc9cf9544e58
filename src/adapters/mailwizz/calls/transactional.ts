import { z } from 'zod';
import type { Api } from '../api';
import { path, toForm } from '../form';
import { ask, type Called, nothingElse } from './called';
import { maybeText, recordIn, uid } from './shapes';
import { toBase64 } from './templates';

export type NewEmail = {
  toName: string;
  toEmail: string;
  fromName: string;
  fromEmail?: string;
  replyToName?: string;
  replyToEmail?: string;
  subject: string;
  html: string;
  plainText?: string;
  /** This clock is UTC, unlike that of campaigns. */
  sendAt: Date;
};

const created = z.looseObject({ email_uid: uid }).transform((found) => ({ emailUid: found.email_uid }));
const email = z.looseObject({ status: z.string(), subject: maybeText }).transform(({ status, subject }) => ({ status, subject }));

/** A queue: MailWizz sends when its cron runs. Status is unsent, sent or failed. */
export const createTransactionalCalls = (api: Api) => ({
  create: (made: NewEmail): Promise<Called<{ emailUid: string }>> =>
    ask(api, { method: 'POST', path: '/transactional-emails', form: toEmailForm(made) }, created),
  read: (emailUid: string, signal?: AbortSignal): Promise<Called<{ status: string; subject: string | undefined }>> =>
    ask(api, { method: 'GET', path: path`/transactional-emails/${emailUid}`, signal }, recordIn(email)),
  remove: (emailUid: string): Promise<Called<undefined>> =>
    ask(api, { method: 'DELETE', path: path`/transactional-emails/${emailUid}` }, nothingElse),
});

const toEmailForm = (made: NewEmail) =>
  toForm({
    email: {
      to_name: made.toName,
      to_email: made.toEmail,
      from_name: made.fromName,
      from_email: made.fromEmail,
      reply_to_name: made.replyToName,
      reply_to_email: made.replyToEmail,
      subject: made.subject,
      body: toBase64(made.html),
      plain_text: made.plainText === undefined ? undefined : toBase64(made.plainText),
      send_at: made.sendAt.toISOString().slice(0, 19).replace('T', ' '),
    },
  });
