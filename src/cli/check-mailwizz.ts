import { openDatabase } from '../../db/client';
import { listInstanceStates } from '../../db/queries/instances';
import { createFields } from '../adapters/mailwizz/create-fields';
import { type Finding, inspectInstance, type InstanceReport } from '../adapters/mailwizz/report';
import { createVault } from '../adapters/vault';
import { toReport } from '../api/instance-checks';
import { loadSecretsKeys, loadStoreConfig } from '../config';
import { createInstanceLoader } from '../instance-settings';
import type { Command } from './commands';
import { readSettings } from './settings';

const marks = { good: 'ok  ', warn: 'warn', bad: 'BAD ', skipped: '-   ' } as const;

export const checkMailwizzCommand: Command = {
  summary: 'test the connections to MailWizz, part by part',
  help: `email-engine check-mailwizz [INSTANCE…] [--create-fields] [--json]
Looks at every configured MailWizz instance (or those named): API, key, lists and their fields, bulk calls, clocks, MySQL, schema, rights. Changes
nothing there. --create-fields makes the fields that lists lack, then looks again. --json prints one report a line.
Exit 0 when nothing is bad, 1 when something is, 2 for an unknown instance or when there is none.`,
  options: { options: { json: { type: 'boolean', default: false }, 'create-fields': { type: 'boolean', default: false } } },
  async run(values, names) {
    const config = loadStoreConfig(readSettings());
    const database = openDatabase(config.databaseUrl, 2, () => undefined);
    try {
      const known = (await listInstanceStates(database.db)).map((instance) => instance.instance_id);
      const stranger = names.find((name) => !known.includes(name));
      if (known.length === 0 || stranger !== undefined) {
        console.error(known.length === 0 ? 'No MailWizz instance is configured yet: POST /api/v1/mailwizz-instances.' : `There is no MailWizz instance ${stranger}; there are ${known.join(', ')}.`);
        return 2;
      }
      const loadInstance = createInstanceLoader({ db: database.db, vault: createVault(loadSecretsKeys(config)) });
      let good = true;
      for (const instanceId of names.length > 0 ? names : known) {
        const settings = await loadInstance(instanceId);
        const inspect = () => inspectInstance(settings);
        let report = await inspect();
        if (values.get('create-fields') === true && report.lists.some((list) => list.missing.length > 0)) {
          for (const list of report.lists) if (list.missing.length > 0) await createFields(settings, list.listUid, list.missing);
          report = await inspect();
        }
        good &&= report.good;
        console.log(values.get('json') === true ? JSON.stringify(toReport(report)) : toText(report));
      }
      return good ? 0 : 1;
    } finally {
      await database.close();
    }
  },
};

const toText = ({ instanceId, good, findings, lists }: InstanceReport) =>
  [
    `${instanceId}: ${good ? 'in order' : 'NOT in order'}`,
    ...findings.map(toLine),
    ...lists.map((list) => `        list ${list.listId ?? '?'} (${list.listUid}) ${list.name}, ${list.subscribers ?? '?'} subscribers${list.missing.length > 0 ? `, lacks ${list.missing.join(', ')}` : ''}`),
  ].join('\n');

const toLine = ({ part, state, words }: Finding) => `  ${marks[state]}  ${part.padEnd(12)}  ${words}`;
