import fc from 'fast-check';
import {
  applyOrder,
  applyStep,
  type CampaignOrder,
  type CampaignState,
  type CampaignStep,
  campaignMoves,
  dueAtMs,
  freshCampaign,
  type HoldReason,
} from '../../src/domain/campaign';

const late: HoldReason[] = [{ code: 'late', message: 'It was due an hour ago.' }];
const state = (changes: Partial<CampaignState>): CampaignState => ({ ...freshCampaign(), ...changes });
const scheduled = state({ status: 'scheduled', scheduledAtMs: 1_000 });
const stateOf = (applied: ReturnType<typeof applyOrder>) => ('state' in applied ? applied.state : applied.refusal.code);

type Verb = CampaignOrder | CampaignStep;
const isOrder = (verb: Verb): verb is CampaignOrder => 'order' in verb;
const apply = (from: CampaignState, verb: Verb) => (isOrder(verb) ? applyOrder(from, verb) : applyStep(from, verb));

/** The rules once more, told by what they allow instead of by a table. */
class Model {
  place: 'plan' | 'live' | 'over' = 'plan';
  end: 'completed' | 'cancelled' | undefined;
  planned: number | null = null;
  launched: number | null = null;
  paused = false;
  held = false;

  get status() {
    if (this.end) return this.end;
    if (this.paused) return 'paused';
    if (this.place === 'live') return 'running';
    return this.planned === null && this.launched === null ? 'draft' : 'scheduled';
  }

  /** False when it was refused. */
  try(verb: Verb): boolean {
    const is = this.status;
    const waits = this.place === 'plan' && !this.end;
    if (!isOrder(verb)) {
      if (verb.step === 'begin') {
        if (is === 'running') return true;
        if (is !== 'scheduled' || this.held) return false;
        this.place = 'live';
        return true;
      }
      if (verb.step === 'hold') {
        if (is !== 'scheduled') return false;
        this.held = verb.reasons.length > 0;
        return true;
      }
      if (is === 'completed') return true;
      if (is !== 'running') return false;
      this.end = 'completed';
      return true;
    }
    if (verb.order === 'cancel') {
      if (this.end === 'completed') return false;
      this.end = 'cancelled';
      return true;
    }
    if (this.end) return false;
    if (verb.order === 'launch') {
      if (this.paused) return false;
      if (waits && (this.launched === null || this.held)) {
        this.launched = verb.atMs;
        this.held = false;
      }
      return true;
    }
    if (verb.order === 'reschedule' || verb.order === 'change') {
      if (!waits) return false;
      if (verb.order === 'reschedule') {
        this.planned = verb.scheduledAtMs;
        this.launched = null;
        this.held = false;
      }
      return true;
    }
    if (is === 'draft') return false;
    this.paused = verb.order === 'pause';
    return true;
  }
}

const time = fc.integer({ min: 1, max: 9 });
const verbs = fc.oneof<fc.Arbitrary<Verb>[]>(
  time.map((atMs) => ({ order: 'launch' as const, atMs })),
  time.map((scheduledAtMs) => ({ order: 'reschedule' as const, scheduledAtMs })),
  fc.constant({ order: 'pause' as const }),
  fc.constant({ order: 'resume' as const }),
  fc.constant({ order: 'change' as const, revision: 2 }),
  fc.constant({ step: 'begin' as const }),
  fc.constantFrom<CampaignStep>({ step: 'hold', reasons: late }, { step: 'hold', reasons: [] }),
  fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom<Verb>({ order: 'cancel' }, { step: 'complete' }) },
    { weight: 3, arbitrary: fc.constant<Verb>({ order: 'pause' }) },
  ),
);

test('1,000 random sequences of orders and steps agree with a model written another way', () => {
  fc.assert(
    fc.property(fc.array(verbs, { minLength: 1, maxLength: 40 }), (sequence) => {
      const model = new Model();
      let real = freshCampaign();
      for (const verb of sequence) {
        const applied = apply(real, verb);
        expect('state' in applied).toBe(model.try(verb));
        if ('state' in applied) real = applied.state;
        expect([real.status, real.held.length > 0, dueAtMs(real)]).toEqual([model.status, model.held, model.launched ?? model.planned]);
        expect(real.pausedFrom !== null).toBe(real.status === 'paused');
      }
    }),
    { numRuns: 1_000 },
  );
});

test('an order that is repeated answers the same state again, from wherever it was obeyed', () => {
  fc.assert(
    fc.property(fc.array(verbs, { maxLength: 15 }), verbs, (sequence, verb) => {
      const before = sequence.reduce((from, next) => {
        const applied = apply(from, next);
        return 'state' in applied ? applied.state : from;
      }, freshCampaign());
      const once = apply(before, verb);
      if ('state' in once) expect(apply(once.state, verb)).toEqual(once);
    }),
    { numRuns: 1_000 },
  );
});

test('a campaign that is paused before it is due resumes to its schedule, one that ran resumes to running', () => {
  const before = applyOrder(scheduled, { order: 'pause' });
  expect(before).toMatchObject({ state: { status: 'paused', pausedFrom: 'scheduled', pauseReason: 'operator', scheduledAtMs: 1_000 } });
  expect(stateOf(applyOrder(stateOf(before) as CampaignState, { order: 'resume' }))).toEqual(scheduled);
  const amid = applyOrder(state({ status: 'running' }), { order: 'pause', reason: 'bounce_rate' });
  expect(amid).toMatchObject({ state: { status: 'paused', pausedFrom: 'running', pauseReason: 'bounce_rate' } });
  expect(stateOf(applyOrder(stateOf(amid) as CampaignState, { order: 'resume' }))).toMatchObject({
    status: 'running',
    pausedFrom: null,
    pauseReason: null,
  });
});

test('a held campaign stays scheduled and never begins by itself; launch and a new time end the hold', () => {
  const held = stateOf(applyStep(scheduled, { step: 'hold', reasons: late })) as CampaignState;
  expect(held).toMatchObject({ status: 'scheduled', held: late });
  expect(stateOf(applyStep(held, { step: 'begin' }))).toBe('is_held');
  expect(stateOf(applyOrder(held, { order: 'change', revision: 2 }))).toMatchObject({ held: late });
  expect(stateOf(applyOrder(held, { order: 'launch', atMs: 5_000 }))).toMatchObject({ held: [], launchedAtMs: 5_000 });
  expect(stateOf(applyOrder(held, { order: 'reschedule', scheduledAtMs: 9_000 }))).toMatchObject({
    held: [],
    scheduledAtMs: 9_000,
    launchedAtMs: null,
  });
});

test('content and time are fixed once it has begun, even while it is paused', () => {
  const amid = state({ status: 'paused', pausedFrom: 'running' });
  for (const started of [state({ status: 'running' }), amid]) {
    expect(stateOf(applyOrder(started, { order: 'change', revision: 2 }))).toBe('has_started');
    expect(stateOf(applyOrder(started, { order: 'reschedule', scheduledAtMs: 1 }))).toBe('has_started');
  }
});

test('cancelling works from every state but completed', () => {
  expect(Object.entries(campaignMoves.cancel).filter(([, target]) => target !== 'cancelled')).toEqual([['completed', 'is_completed']]);
});
