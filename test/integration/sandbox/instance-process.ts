import { startInstance } from '../../../sandbox/mailwizz/instance';

/** An instance in a process of its own, to be killed: MARIADB NUMBER PORT. */
const [mariadb = '', number, port] = process.argv.slice(2);
void startInstance({ mariadb, number: Number(number), port: Number(port) }).then(({ stop: _, ...instance }) =>
  console.log(JSON.stringify(instance)),
);
