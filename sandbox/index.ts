import { startDns } from './dns';
import { startMariadb } from './mariadb';
import { type RunningInstance, startInstance } from './mailwizz/instance';
import { startSmtp } from './smtp';
import { startTelegram } from './telegram';

export type Sandbox = {
  instances: RunningInstance[];
  dns: string;
  smtp: string;
  smtp_port: number;
  telegram_url: string;
  counters: () => { dns: number; smtp: Record<string, number> };
  stop: () => Promise<void>;
};

/** All stand-ins: ports from `port` on (MariaDB, DNS, SMTP, Telegram, then two per instance). */
export async function startSandbox({ port, instances, dataDir, greylistMs }: { port: number; instances: number; dataDir: string; greylistMs: number }): Promise<Sandbox> {
  const mariadb = await startMariadb({ dataDir, port });
  const dns = await startDns(port + 1);
  const smtp = await startSmtp({ port: port + 2, greylistMs });
  const telegram = await startTelegram(port + 3);
  const running: RunningInstance[] = [];
  for (let number = 1; number <= instances; number += 1) running.push(await startInstance({ mariadb: mariadb.url, number, port: port + 2 + 2 * number }));
  return {
    instances: running,
    dns: dns.address,
    smtp: `127.0.1.1:${smtp.port}`,
    smtp_port: smtp.port,
    telegram_url: telegram.url,
    counters: () => ({ dns: dns.queries(), smtp: smtp.counters() }),
    async stop() {
      for (const instance of running.toReversed()) await instance.stop();
      await telegram.stop();
      await smtp.stop();
      await dns.stop();
      await mariadb.stop();
    },
  };
}
