import { toProblem } from '../../src/api/errors';

const failed = (facts: object) => Object.assign(new Error('foreign words'), facts);
const grpc = (code: number) => failed({ code, details: 'foreign words', metadata: {} });
const wrapped = (cause: Error) => new Error('Failed to start Workflow', { cause });

test.each([
  ['a statement over its time limit', failed({ code: '57014' })],
  ['a database that goes down', failed({ code: '57P01' })],
  ['a standby', wrapped(failed({ code: '25006' }))],
  ['a host name that is not found', failed({ code: 'ENOTFOUND' })],
  ['a pool without a free connection', wrapped(new Error('timeout exceeded when trying to connect'))],
])('%s is 503, and nothing is claimed about what was stored', (_, error) => {
  expect(toProblem(error)).toMatchObject({ status: 503, type: '/problems/unavailable', detail: expect.stringContaining('same Idempotency-Key') });
});

test.each([
  ['unavailable', wrapped(grpc(14))],
  ['too slow', wrapped(grpc(4))],
  ['a proxy that answers for it', grpc(12)],
  ['not there at all', new Error('Failed to connect before the deadline')],
])('a Temporal that is %s is 503', (_, error) => {
  expect(toProblem(error)).toMatchObject({ status: 503, detail: 'Temporal is not available. Send it again.' });
});

test('what somebody else took at the same moment is a conflict', () => {
  expect(toProblem(wrapped(failed({ code: '23505', detail: 'foreign words' })))).toMatchObject({ status: 409, type: '/problems/conflict' });
});

test('what we asked of Temporal wrongly stays our fault', () => {
  expect(toProblem(wrapped(grpc(3))).status).toBe(500);
});
