import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const root = join(__dirname, '..');

/**
 * The workflows as one file, made once per version of them and kept under `dataDir`. In a process of its own: the bundler leaves a worker 200 MB larger
 * and two seconds later.
 */
export async function loadWorkflowBundle(dataDir: string): Promise<{ codePath: string }> {
  const folder = join(dataDir, 'cache');
  const codePath = join(folder, `workflows-${versionOf()}.js`);
  if (!existsSync(codePath)) {
    mkdirSync(folder, { recursive: true });
    await promisify(execFile)(process.execPath, ['-r', 'tsx/cjs', join(__dirname, 'workflow-bundle.ts'), codePath], { cwd: root });
  }
  return { codePath };
}

export const bundleWorkflows = () => bundleWorkflowCode({ workflowsPath: join(__dirname, 'workflows', 'index.ts'), logger: new DefaultLogger('WARN') });

/** A hash of all that goes into the bundle: our workflows and domain, and the SDK by its version. */
function versionOf(): string {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package.json')));
  for (const folder of ['workflows', 'domain']) for (const file of readdirSync(join(__dirname, folder)).toSorted()) hash.update(file).update(readFileSync(join(__dirname, folder, file)));
  return hash.digest('hex').slice(0, 16);
}

if (require.main === module) {
  const target = process.argv[2] ?? '';
  void bundleWorkflows().then(({ code }) => {
    writeFileSync(`${target}.${process.pid}`, code);
    renameSync(`${target}.${process.pid}`, target); // two workers may start at once
  });
}
