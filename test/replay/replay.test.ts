import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { bundleWorkflows } from '../../src/workflow-bundle';

const folder = join(__dirname, 'histories');
const histories = readdirSync(folder).filter((file) => file.endsWith('.json'));
let bundle: Awaited<ReturnType<typeof bundleWorkflows>>;

beforeAll(async () => {
  bundle = await bundleWorkflows();
}, 60_000);

test('there are recorded histories of every workflow', () => {
  for (const workflow of ['campaign', 'contactBatch', 'contactPage', 'reconcile', 'sweep']) expect(histories.some((file) => file.startsWith(workflow))).toBe(true);
});

test.each(histories)('%s replays on the workflows of today', async (file) => {
  const history: unknown = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  await expect(Worker.runReplayHistory({ workflowBundle: bundle }, history)).resolves.toBeUndefined();
});

test('the workflow bundle holds workflows and domain only', () => {
  expect(bundle.code.length).toBeLessThan(2_000_000);
  for (const stranger of ['drizzle-orm', 'zod/', 'undici', 'node_modules/pg/']) expect(bundle.code).not.toContain(`node_modules/${stranger.replace('node_modules/', '')}`);
});
