/**
 * A private ActiveMQ Classic for tests, as Debian packages it: one broker, or two of which one waits for the other's lock
 * on a shared store. Own folders and ports, gone when the test ends.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pair } from '../certificates.ts';
import { freePorts } from '../free-ports.ts';
import { ServerProcess } from './server-process.ts';

export interface ActiveMqBroker {
  readonly name: string;
  /** STOMP. A broker that waits for the lock of its store has not opened it. */
  readonly port: number;
  /** STOMP over TLS; 0 without `tls`. */
  readonly tlsPort: number;
  /** Ends the process, as `kill -9` would, or politely. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** Makes it stand still, and go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Starts it again in the same folder, on the same ports; until it serves, or waits for the lock. */
  restart(): Promise<void>;
  /** Whether it answers STOMP now. */
  serves(): Promise<boolean>;
  /** What it has logged. */
  log(): string;
}

export interface ActiveMq {
  readonly brokers: readonly ActiveMqBroker[];
  /** `stomp://127.0.0.1:port`, or `failover:(stomp://127.0.0.1:port,stomp://127.0.0.1:port)` */
  readonly url: string;
  /** Has the configuration and the data. */
  readonly folder: string;
  /** The one of the brokers that serves; waits for it. */
  active(withinMs?: number): Promise<ActiveMqBroker>;
  stop(): Promise<void>;
}

export interface ActiveMqOptions {
  /** Two share a store: the first serves, the other waits. Default: 1. */
  readonly brokers?: 1 | 2;
  /** URL of the PostgreSQL database that is the store, without a password. Default: a KahaDB folder. */
  readonly database?: string;
  /** Passwords by user name; default: anybody may come in. */
  readonly users?: Readonly<Record<string, string>>;
  /** Certificate and key of another connector, for TLS. */
  readonly tls?: Pair;
  /** Limit of the store in megabytes. Default: 512. */
  readonly storeMb?: number;
  /** Whether each commit waits for the disk. Default: true. */
  readonly fsync?: boolean;
  /** How often the store gives back what is used up, in milliseconds. Default: 30,000, as ActiveMQ's. */
  readonly cleanupMs?: number;
  /** `<policyEntry .../>` elements. */
  readonly policies?: string;
  /** A whole activemq.xml instead of all this; `DATA` in it stands for the store's folder, `PORT` and `TLS_PORT` for the ports. */
  readonly configuration?: string;
}

const HOME = '/usr/share/activemq';
const JAVA = (process.env.PATH ?? '')
  .split(':')
  .map((folder) => path.join(folder, 'java'))
  .find((file) => existsSync(file));

/** Why there is no ActiveMQ to test against; undefined when there is one. The value fits node:test's `skip`. */
export const activeMqMissing: string | undefined =
  JAVA === undefined || !existsSync(`${HOME}/bin/activemq.jar`)
    ? 'ActiveMQ is not installed (apt-get install activemq)'
    : undefined;

const DATABASE_JARS = ['postgresql', 'commons-dbcp2', 'commons-pool2', 'commons-logging'].map(
  (name) => `/usr/share/java/${name}.jar`,
);

/** Why its store cannot be in PostgreSQL. */
export const activeMqDatabaseMissing: string | undefined =
  activeMqMissing ??
  (DATABASE_JARS.every((file) => existsSync(file))
    ? undefined
    : 'drivers for Java are not installed (apt-get install libpostgresql-jdbc-java libcommons-dbcp2-java)');

const START_MS_MAX = 60_000;
/** Of another broker's lock on the store. */
const LOCK_RETRY_MS = 500;
const KEY_PASSWORD = 'changeit';

export async function startActiveMq(options: ActiveMqOptions = {}): Promise<ActiveMq> {
  if (activeMqMissing !== undefined) throw new Error(activeMqMissing);
  if (options.database !== undefined && activeMqDatabaseMissing !== undefined) throw new Error(activeMqDatabaseMissing);
  const folder = mkdtempSync(path.join(tmpdir(), 'graticule-amq-'));
  const number = options.brokers ?? 1;
  const ports = await freePorts(2 * number);
  const brokers = Array.from(
    { length: number },
    (_, n) =>
      new Broker(folder, `b${n + 1}`, ports[2 * n]!, options.tls === undefined ? 0 : ports[2 * n + 1]!, options),
  );
  const stop = async () => {
    await Promise.all(brokers.map((broker) => broker.kill('SIGKILL')));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const broker of brokers) await broker.restart();
  } catch (error) {
    await stop();
    throw error;
  }
  const urls = brokers.map(({ port }) => `stomp://127.0.0.1:${port}`);
  return {
    brokers,
    folder,
    url: urls.length === 1 ? urls[0]! : `failover:(${urls})`,
    async active(withinMs = START_MS_MAX) {
      for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(20))
        for (const broker of brokers) if (await broker.serves()) return broker;
      throw new Error(`no broker serves within ${withinMs} ms`);
    },
    stop,
  };
}

class Broker implements ActiveMqBroker {
  readonly name: string;
  readonly port: number;
  readonly tlsPort: number;
  readonly #base: string;
  readonly #log: string;
  readonly #process: ServerProcess;

  constructor(folder: string, name: string, port: number, tlsPort: number, options: ActiveMqOptions) {
    this.name = name;
    this.port = port;
    this.tlsPort = tlsPort;
    this.#base = path.join(folder, name);
    this.#log = path.join(folder, `${name}.log`);
    this.#process = new ServerProcess({ cwd: this.#base, logFile: this.#log });
    for (const made of ['', 'lib', 'tmp', 'data']) mkdirSync(path.join(this.#base, made));
    if (options.database !== undefined)
      for (const jar of DATABASE_JARS) symlinkSync(jar, path.join(this.#base, 'lib', path.basename(jar)));
    if (options.tls !== undefined) {
      const { cert, key } = options.tls;
      const files = ['-in', cert, '-inkey', key, '-out', path.join(this.#base, 'key.p12')];
      execFileSync('openssl', ['pkcs12', '-export', ...files, '-passout', `pass:${KEY_PASSWORD}`]);
    }
    writeFileSync(path.join(this.#base, 'log4j.properties'), LOGGING);
    const xml = (options.configuration ?? configuration(this.#base, options))
      .replaceAll('TLS_PORT', `${tlsPort}`)
      .replaceAll('PORT', `${port}`)
      .replaceAll('DATA', path.join(folder, 'store'));
    writeFileSync(path.join(this.#base, 'activemq.xml'), xml);
  }

  log(): string {
    return readFileSync(this.#log, 'utf8');
  }

  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    return this.#process.kill(signal);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.signal(signal);
  }

  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    const begins = existsSync(this.#log) ? readFileSync(this.#log).length : 0;
    const base = this.#base;
    const places = ['base', 'conf', 'classpath'].map((name) => `-Dactivemq.${name}=${base}`);
    this.#process.start(JAVA!, [
      ...['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'],
      ...['-Djava.awt.headless=true', '-Djava.net.preferIPv4Stack=true', `-Djava.io.tmpdir=${base}/tmp`],
      ...[`-Dactivemq.home=${HOME}`, ...places, `-Dactivemq.data=${base}/data`],
      ...[`-Dlog4j.configuration=file:${base}/log4j.properties`, '-jar', `${HOME}/bin/activemq.jar`],
      ...['start', `xbean:file:${base}/activemq.xml`],
    ]);
    let waited = 0;
    for (const deadline = Date.now() + START_MS_MAX; ; await sleep(50)) {
      if (await this.serves()) return;
      waited = WAITS.test(readFileSync(this.#log).subarray(begins).toString()) ? waited + 1 : 0;
      if (waited === WAITS_TIMES) return;
      if (this.#process.ended || Date.now() > deadline)
        throw new Error(`ActiveMQ did not start:\n${this.log().slice(-4000)}`);
    }
  }

  /** Whatever it says, be it that nobody may come in: connectors are opened last, and this one last of them. */
  serves(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () =>
        socket.write('CONNECT\naccept-version:1.2\nhost:/\nheart-beat:0,0\n\n\0'),
      );
      socket.setTimeout(1000, () => socket.destroy());
      socket.once('data', () => {
        resolve(true);
        socket.destroy();
      });
      socket.once('error', () => {});
      socket.once('close', () => resolve(false));
    });
  }
}

/** Said by one that found the folder locked; and last thing said by one whose statement waits for the lock of a database. */
const WAITS =
  /is locked by another server(?!.*KahaDB is version)|Attempting to acquire the exclusive lock(?!.*Becoming the master)/s;
/** So often in a row, since the one that gets the lock says the same for a moment. */
const WAITS_TIMES = 6;

const LOGGING = `log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %-5p %m%n
`;

function configuration(base: string, options: ActiveMqOptions): string {
  const users = Object.entries(options.users ?? {}).map(
    ([name, password]) => `<authenticationUser username="${name}" password="${password}" groups="nodes"/>`,
  );
  const plugins = `<plugins><simpleAuthenticationPlugin><users>${users.join('')}</users></simpleAuthenticationPlugin></plugins>`;
  const key = `keyStore="file:${base}/key.p12" keyStorePassword="${KEY_PASSWORD}" keyStoreType="PKCS12"`;
  const tlsConnector =
    '<transportConnector name="tls" uri="stomp+nio+ssl://127.0.0.1:TLS_PORT?transport.tcpNoDelay=true"/>';
  return `<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
   http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
 ${options.database === undefined ? '' : dataSource(options.database)}
 <broker xmlns="http://activemq.apache.org/schema/core" brokerName="tests" dataDirectory="${base}/data"
   useJmx="false" persistent="true" advisorySupport="false">
  <destinationPolicy><policyMap><policyEntries>${options.policies ?? ''}</policyEntries></policyMap></destinationPolicy>
  <persistenceAdapter>${options.database === undefined ? kahaDb(options) : JDBC}</persistenceAdapter>
  ${options.users === undefined ? '' : plugins}
  ${options.tls === undefined ? '' : `<sslContext><sslContext ${key}/></sslContext>`}
  <systemUsage><systemUsage sendFailIfNoSpace="true">
    <memoryUsage><memoryUsage limit="64 mb"/></memoryUsage>
    <storeUsage><storeUsage limit="${options.storeMb ?? 512} mb"/></storeUsage>
    <tempUsage><tempUsage limit="64 mb"/></tempUsage></systemUsage></systemUsage>
  <transportConnectors>
   ${options.tls === undefined ? '' : tlsConnector}
   <transportConnector name="stomp" uri="stomp+nio://127.0.0.1:PORT?transport.tcpNoDelay=true"/>
  </transportConnectors>
 </broker>
</beans>
`;
}

function kahaDb(options: ActiveMqOptions): string {
  const sync = options.fsync === false ? 'never' : 'always';
  return `<kahaDB directory="DATA" journalMaxFileLength="4mb" journalDiskSyncStrategy="${sync}"
    cleanupInterval="${options.cleanupMs ?? 30_000}">
    <locker><shared-file-locker lockAcquireSleepInterval="${LOCK_RETRY_MS}"/></locker></kahaDB>`;
}

/** With the default lock: a row, held by a connection of the broker that serves. */
const JDBC = `<jdbcPersistenceAdapter dataSource="#store">
   <locker><database-locker lockAcquireSleepInterval="${LOCK_RETRY_MS}"/></locker></jdbcPersistenceAdapter>`;

function dataSource(database: string): string {
  const { username, host, pathname } = new URL(database);
  return `<bean id="store" class="org.apache.commons.dbcp2.BasicDataSource" destroy-method="close">
  <property name="driverClassName" value="org.postgresql.Driver"/>
  <property name="url" value="jdbc:postgresql://${host}${pathname}"/>
  <property name="username" value="${username}"/>
  <property name="poolPreparedStatements" value="true"/>
 </bean>`;
}
