import type { TLSSocket } from 'node:tls';

/** What a client shows and trusts at `wss://`, in PEM. */
export interface TlsIdentity {
  /** Authorities that the log's node must have its certificate from. Absent: those that Node trusts. */
  readonly ca?: string;
  /** Own certificate, with those between it and the authority. */
  readonly cert?: string;
  readonly key?: string;
}

/** The word by which a client says, in the first message of TLS, that it comes for the log and has a certificate to show. */
export const CHANNEL_PROTOCOL = 'graticule-log';

/** Event of a server, with an address: a client that came for the log ended the connection before TLS was agreed on. */
export const PEER_TLS_ENDED = 'graticule-peer-tls-ended';

/** @returns why the other side's certificate does not let it in: `its certificate has expired`; undefined when it does */
export function whyNotCertificate(socket: object): string | undefined {
  const { encrypted, authorized, authorizationError } = socket as Partial<TLSSocket>;
  if (encrypted !== true) return 'it does not come over TLS, and a client certificate is asked for here; write wss://';
  if (authorized) return undefined;
  const shown = (socket as TLSSocket).getPeerCertificate();
  if (Object.keys(shown ?? {}).length === 0)
    return 'it showed no client certificate, and one is asked for here; --tls-client-cert names it';
  const code = String((authorizationError as NodeJS.ErrnoException | undefined)?.code ?? authorizationError);
  return explainCertificate(code, 'the log') ?? `its certificate is not accepted: ${code}`;
}

/** @returns what an error of TLS means for the node that was called; undefined when it is none that we know */
export function explainTls(error: NodeJS.ErrnoException, url: string): string | undefined {
  const { code = '', message } = error;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is not for ${new URL(url).hostname}: ${message.replace(/^.*altnames: /, '')}`;
  if (code === 'EPROTO' && /wrong version number|packet length too long/i.test(message))
    return 'it does not speak TLS; write ws:// for it, or start it with --tls-cert';
  const explained = explainCertificate(code, 'this node');
  return (
    explained && `${explained}${code.startsWith('CERT_') ? '' : '; --tls-ca names the certificate of the authority'}`
  );
}

function explainCertificate(code: string, whoTrusts: string): string | undefined {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired';
    case 'CERT_NOT_YET_VALID':
      return 'its certificate is not valid yet; check the clocks of both machines';
    case 'CERT_REVOKED':
      return 'its certificate was revoked';
    case 'INVALID_PURPOSE':
      return 'its certificate was not made for this purpose (extendedKeyUsage)';
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_SIGNATURE_FAILURE':
    case 'CERT_UNTRUSTED':
      return `its certificate is not from an authority that ${whoTrusts} trusts`;
    default:
      return undefined;
  }
}
