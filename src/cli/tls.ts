import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { FreshFiles, type Logger, messageOf, UserError } from '../base/index.ts';
import type { TlsIdentity } from '../log/index.ts';
import type { DoorTls } from '../server/index.ts';
import type { ServeOptions } from './serve-options.ts';

/** What the options about TLS come to. */
export interface NodeTls {
  /** Absent: the node speaks HTTP. */
  readonly door?: DoorTls;
  /** What the node shows and trusts at the nodes that it calls. */
  readonly client: () => TlsIdentity;
  /** Looks at the files now, and not only at the next connection. */
  reread(): void;
}

type TlsServeOptions = Pick<
  ServeOptions,
  'tlsCert' | 'tlsKey' | 'tlsCa' | 'tlsClientCert' | 'tlsClientKey' | 'requireClientCert'
>;

const EXPIRES_SOON_DAYS = 14;

/**
 * Opens the files that the options name. They are read again when they change.
 *
 * @throws UserError  one cannot be used, or belongs to another that is missing
 */
export function openTls(options: TlsServeOptions, logger: Logger): NodeTls {
  const { tlsCert, tlsKey, tlsCa, requireClientCert } = options;
  bothOrNone('--tls-cert', tlsCert, '--tls-key', tlsKey);
  bothOrNone('--tls-client-cert', options.tlsClientCert, '--tls-client-key', options.tlsClientKey);
  if (requireClientCert && (tlsCert === undefined || tlsCa === undefined))
    throw new UserError(
      400,
      'tls-incomplete',
      '--require-client-cert needs --tls-cert and --tls-key, and --tls-ca for the authority of the certificates it asks for',
    );
  const own = identity({ cert: tlsCert, key: tlsKey, ca: tlsCa }, logger);
  const client =
    options.tlsClientCert === undefined
      ? own
      : identity({ cert: options.tlsClientCert, key: options.tlsClientKey, ca: tlsCa }, logger);
  const { ca } = own.value;
  // The node calls others over HTTPS as well, not only for the log.
  if (ca !== undefined && typeof tls.setDefaultCACertificates === 'function')
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), ...certificatesIn(ca)]);
  return {
    ...(tlsCert === undefined ? {} : { door: { current: () => own.value, askPeers: requireClientCert ?? false } }),
    client: () => client.value,
    reread() {
      void own.value;
      void client.value;
    },
  };
}

function certificatesIn(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

/** @throws UserError */
function identity(
  names: { readonly cert?: string; readonly key?: string; readonly ca?: string },
  logger: Logger,
): FreshFiles<TlsIdentity> {
  const present = Object.entries(names).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const files = present.map(([, file]) => file);
  try {
    return new FreshFiles(
      files,
      (contents) => {
        const made: TlsIdentity = Object.fromEntries(present.map(([key], index) => [key, contents[index]]));
        // Throws when certificate and key do not belong together.
        tls.createSecureContext(made);
        if (made.ca !== undefined) new X509Certificate(made.ca);
        if (made.cert !== undefined) warnOfEnd(made.cert, names.cert!, logger);
        return made;
      },
      {
        onChange: () => logger.info('certificates-read', { files }),
        onTrouble: (error) =>
          logger.error('certificates-unusable', { files, reason: messageOf(error), goesOn: 'with the former' }),
      },
    );
  } catch (cause) {
    throw new UserError(400, 'tls-unusable', `${files.join(', ')} cannot be used for TLS: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function warnOfEnd(cert: string, file: string, logger: Logger): void {
  const { validTo } = new X509Certificate(cert);
  const daysLeft = Math.floor((Date.parse(validTo) - Date.now()) / 86_400_000);
  if (daysLeft < 0)
    logger.error('certificate-expired', { file, validTo, remedy: 'put a new one there; it is read at once' });
  else if (daysLeft < EXPIRES_SOON_DAYS) logger.warn('certificate-expires', { file, validTo, daysLeft });
}

function bothOrNone(a: string, aValue: string | undefined, b: string, bValue: string | undefined): void {
  if ((aValue === undefined) !== (bValue === undefined))
    throw new UserError(400, 'tls-incomplete', `${a} and ${b} belong together: give both, or none`);
}
