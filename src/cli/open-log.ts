import path from 'node:path';
import { type Logger, UserError } from '../base/index.ts';
import { type ChangeLog, openEmbeddedLog, openWebSocketLog, serveLog } from '../log/index.ts';
import type { Door } from '../server/index.ts';
import { clusterSecrets } from './secret.ts';
import { withoutSecrets } from './serve/keys.ts';
import type { ServeOptions } from './serve-options.ts';
import type { NodeTls } from './tls.ts';

export interface LogParts {
  readonly door: Door;
  readonly tls: NodeTls;
  readonly clusterDir: string;
  readonly name: string;
  readonly logger: Logger;
  /** What is opened here puts its end at the end of these. */
  readonly closers: (() => Promise<unknown> | unknown)[];
}

/** Opens the log that the URL names; one that this process holds is offered to the other nodes at the node's own port. */
export async function openLog(options: ServeOptions, parts: LogParts): Promise<ChangeLog> {
  const { door, tls, clusterDir, name, logger, closers } = parts;
  const { group } = options;
  const holdsLog = options.log === 'embedded:' || options.log === 'embedded';
  const secret = clusterSecrets({
    given: process.env.GRATICULE_CLUSTER_SECRET,
    file: options.secretFile,
    clusterDir,
    holdsLog,
    logger,
  });
  const reread = () => {
    void secret.accepted;
    tls.reread();
  };
  process.on('SIGHUP', reread);
  closers.push(() => process.off('SIGHUP', reread));
  if (holdsLog) {
    const log = await openEmbeddedLog({ folder: path.join(clusterDir, 'log'), group });
    closers.push(() => log.close());
    const service = serveLog({
      server: door.server,
      log,
      secret,
      group,
      requireClientCertificate: options.requireClientCert,
      logger,
    });
    closers.push(() => service.close());
    return log;
  }
  if (!/^(?:wss?:\/\/|failover:\()/.test(options.log))
    throw new UserError(
      400,
      'unknown-log',
      `--log ${withoutSecrets(options.log)}: this is no log that can be followed; use embedded:, ws://host:port or failover:(ws://a:port,ws://b:port)`,
    );
  const log = openWebSocketLog({ url: options.log, secret, group, tls: tls.client, name, logger });
  closers.push(() => log.close());
  return log;
}
