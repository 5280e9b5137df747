import type { WebSocket } from 'ws';
import type { LogPromises } from '../change-log.ts';
import {
  type Challenge,
  type ClusterSecrets,
  type Hello,
  newNonce,
  type Proof,
  proofOf,
  type RefusalCode,
  type Refused,
  secretOfProof,
  type Welcome,
  whyNotHello,
} from './handshake.ts';

export interface AdmissionRules {
  readonly group: string;
  readonly secrets: ClusterSecrets;
  readonly promises: LogPromises;
  /** Why the client's certificate does not let it in; undefined when it does, or none is asked for. */
  readonly whyNotCertificate: string | undefined;
}

/** The client was turned away. */
export class NotAdmittedError extends Error {
  /** The name it gave. */
  readonly peer: string | undefined;

  constructor(reason: string, peer: string | undefined) {
    super(reason);
    this.name = 'NotAdmittedError';
    this.peer = peer;
  }
}

/** A client that has not proved itself by then is cut off. */
const HANDSHAKE_MS = 5000;
const CLOSED_REFUSED = 4401;

/**
 * Says who we are, and makes sure that the client may come in.
 *
 * @param onAdmitted  called before the client is welcomed, so that nothing it says afterwards is missed
 * @throws NotAdmittedError
 */
export function admit(socket: WebSocket, rules: AdmissionRules, onAdmitted: (hello: Hello) => void): Promise<Hello> {
  return new Promise((resolve, reject) => {
    const challenge: Challenge = { nonce: newNonce() };
    let hello: Hello | undefined;
    const timer = setTimeout(() => refuse('handshake', 'it did not complete the handshake in time'), HANDSHAKE_MS);
    const end = () => {
      clearTimeout(timer);
      socket.off('message', onMessage);
      socket.off('close', onClose);
    };
    const refuse = (code: RefusalCode, refused: string, peer = hello?.name) => {
      end();
      socket.send(JSON.stringify({ refused, code } satisfies Refused));
      socket.close(CLOSED_REFUSED);
      reject(new NotAdmittedError(refused, peer));
    };
    const onClose = () => {
      end();
      reject(new NotAdmittedError('it went away during the handshake', hello?.name));
    };
    const onMessage = (data: Buffer) => {
      let message: unknown;
      try {
        message = JSON.parse(data.toString());
      } catch {
        refuse('handshake', 'it does not speak the protocol of the log');
        return;
      }
      if (hello === undefined) {
        const said = (message ?? {}) as Hello;
        const why = whyNotHello(said, rules.group);
        if (why !== undefined) return refuse(why.code, why.refused, nameIn(said));
        if (rules.whyNotCertificate !== undefined) return refuse('certificate', rules.whyNotCertificate, said.name);
        hello = said;
        socket.send(JSON.stringify(challenge));
        return;
      }
      const given = (message as Partial<Proof> | null)?.proof;
      const secret = secretOfProof(given, rules.secrets.accepted, hello, challenge);
      if (secret === undefined) return refuse('secret', 'its secret is none that this cluster accepts');
      end();
      onAdmitted(hello);
      const proof = proofOf(secret, 'server', hello, challenge);
      socket.send(JSON.stringify({ proof, promises: rules.promises } satisfies Welcome));
      resolve(hello);
    };
    socket.on('message', onMessage);
    socket.on('close', onClose);
  });
}

/** What a refused client called itself, as far as it can stand in a log. */
function nameIn(hello: Partial<Hello>): string | undefined {
  return typeof hello.name === 'string' ? hello.name.replace(/\p{C}/gu, '').slice(0, 100) : undefined;
}
