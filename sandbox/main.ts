import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startSandbox } from './index';

const help = `npm run sandbox [-- --port P] [--instances N] [--data-dir D] [--greylist-ms MS] [--json]
Stand-ins on loopback: MailWizz over HTTP and MySQL (N instances, default 2), DNS, mail servers, Telegram. Runs in the foreground.
Ports from P on (default 9400). Faults and switches are set over HTTP: POST <control_url>/faults {"route":"bulk","fault":"hang","count":1}.
docs/SANDBOX.md has every fault, switch and control route.
--json prints one line when everything is ready.`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '9400' },
      instances: { type: 'string', default: '2' },
      'data-dir': { type: 'string', default: '.data/sandbox' },
      'greylist-ms': { type: 'string', default: '1000' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(help);
  const [port, instances, greylistMs] = [values.port, values.instances, values['greylist-ms']].map(Number);
  if (!(port && port > 1023 && port < 65_000) || !(instances && instances > 0 && instances <= 50) || greylistMs === undefined || !(greylistMs >= 0)) {
    console.error(`A number is out of range.\n\n${help}`);
    process.exit(2);
  }
  const sandbox = await startSandbox({ port, instances, dataDir: resolve(values['data-dir']), greylistMs });
  const { dns, smtp, smtp_port, telegram_url } = sandbox;
  const shown = sandbox.instances.map(({ stop: _, ...instance }) => instance);
  if (values.json) console.log(JSON.stringify({ instances: shown, dns, smtp, smtp_port, telegram_url }));
  else {
    for (const instance of shown) console.log(`${instance.instance_id}  api ${instance.api_url}  key ${instance.api_key}\n  mysql ${instance.mysql_url}\n  control ${instance.control_url}\n  lists ${instance.lists.map((list) => `${list.list_id} ${list.name} (${list.list_uid})`).join(', ')}`);
    console.log(`dns ${dns}  smtp ${smtp}  telegram ${telegram_url}`);
  }
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    void sandbox.stop().finally(() => process.exit(0));
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
}

void main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
