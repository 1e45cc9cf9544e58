import { z } from 'zod';
import { sqlDate } from '../answers';
import type { Context } from '../context';
import type { ControlRoute } from '../control';
import { runCron } from './cron';
import { storedDate } from '../dates';
import { type Rates, ratesBody } from './fate';
import { settleReactions } from './reactions';
import { sendTransactional } from '../resources/transactional';
import type { Answer } from '../router';
import { sendDue } from './send';
import { select } from '../sql';
import { deliverWebhooks } from './webhooks';

/** As much as one tick does besides sending. */
const perTick = { reactions: 200_000, webhooks: 20_000, transactional: 10_000 };

const clockBody = z.strictObject({
  mode: z.enum(['auto', 'manual']).optional(),
  every_ms: z.int().min(10).max(3_600_000).optional(),
  batch: z.int().min(1).max(1_000_000).optional(),
  /** Run the cron with every tick too. */
  cron: z.boolean().optional(),
});
const tickBody = z.strictObject({
  max: z.int().min(0).max(10_000_000).default(1_000_000),
  now: z.iso.datetime({ offset: true }).optional(),
});

export type Clock = { routes: ControlRoute[]; stop: () => Promise<void> };

/** What makes MailWizz's cron jobs run: by itself every second, or by hand. */
export function startClock(context: Context): Clock {
  const clock = { mode: 'auto', every_ms: 1_000, batch: 10_000, cron: false };
  let rates: Rates = ratesBody.parse({});
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const inTurn = { sending: createTurn(), webhooks: createTurn() };
  schedule();

  return {
    routes: [
      { method: 'POST', path: '/tick', handle: tickByHand },
      { method: 'GET', path: '/clock', handle: async () => ({ code: 200, body: clock }) },
      { method: 'POST', path: '/clock', handle: setClock },
      { method: 'GET', path: '/rates', handle: async () => ({ code: 200, body: rates }) },
      { method: 'PUT', path: '/rates', handle: setRates },
    ],
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await Promise.all([inTurn.sending(async () => undefined), inTurn.webhooks(async () => undefined)]);
    },
  };

  function schedule(): void {
    clearTimeout(timer);
    if (stopped || clock.mode !== 'auto') return;
    timer = setTimeout(() => void tickByClock().catch(complain).finally(schedule), clock.every_ms);
  }

  async function tickByClock(): Promise<void> {
    const now = context.now();
    const due = await findDueWork(context, now);
    // A receiver that is slow to answer holds no campaign up.
    if (due.webhooks) void inTurn.webhooks(() => deliverWebhooks(context, context.now(), perTick.webhooks)).catch(complain);
    if (due.sending) await tick(now, clock.batch);
    if (clock.cron) await runCron(context, { archive: false });
  }

  function complain(error: unknown): void {
    if (!stopped) console.error(`${context.instanceId}: a tick failed: ${error instanceof Error ? error.message : String(error)}`);
  }

  function tick(now: Date, max: number) {
    return inTurn.sending(async () => ({
      campaigns: await sendDue(context, { rates, now, max }),
      reactions: await settleReactions(context, now, perTick.reactions),
      transactional: await sendTransactional(context, now, perTick.transactional),
    }));
  }

  async function tickByHand(_: Context, body: unknown): Promise<Answer> {
    const parsed = tickBody.safeParse(body);
    if (!parsed.success) return { code: 422, body: { error: z.prettifyError(parsed.error) } };
    const now = parsed.data.now === undefined ? context.now() : new Date(parsed.data.now);
    const done = await tick(now, parsed.data.max);
    const webhooks = await inTurn.webhooks(() => deliverWebhooks(context, now, perTick.webhooks));
    return { code: 200, body: { now: now.toISOString(), ...done, webhooks } };
  }

  async function setClock(_: Context, body: unknown): Promise<Answer> {
    const parsed = clockBody.safeParse(body);
    if (!parsed.success) return { code: 422, body: { error: z.prettifyError(parsed.error) } };
    Object.assign(clock, parsed.data);
    schedule();
    // Whoever stops the clock finds it still.
    await inTurn.sending(async () => undefined);
    return { code: 200, body: clock };
  }

  async function setRates(_: Context, body: unknown): Promise<Answer> {
    const parsed = ratesBody.safeParse(body);
    if (!parsed.success) return { code: 422, body: { error: z.prettifyError(parsed.error) } };
    rates = parsed.data;
    return { code: 200, body: rates };
  }
}

/** One question a second is all that an idle instance costs. */
async function findDueWork(context: Context, now: Date): Promise<{ sending: boolean; webhooks: boolean }> {
  const at = sqlDate(now);
  const [due] = await select<{ sending: number; webhooks: number }>(
    context.pool,
    `SELECT EXISTS (SELECT 1 FROM mw_campaign WHERE type = 'regular' AND (status = 'pending-sending' AND send_at <= ? OR status IN ('sending', 'processing')))
        OR EXISTS (SELECT 1 FROM sandbox_reaction WHERE due_at <= ?) OR EXISTS (SELECT 1 FROM mw_transactional_email WHERE status = 'unsent' AND send_at <= ?) sending,
      EXISTS (SELECT 1 FROM sandbox_webhook_queue WHERE status = 'waiting' AND next_at <= ?) webhooks`,
    [storedDate(context, now), at, at, at],
  );
  return { sending: due?.sending === 1, webhooks: due?.webhooks === 1 };
}

/** What is asked for comes one after the other. */
function createTurn() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
