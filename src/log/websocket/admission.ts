import type { WebSocket } from 'ws';
import { messageOf } from '../../base/index.ts';
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
  /** Undefined: any. */
  readonly group: string | undefined;
  readonly secrets: ClusterSecrets;
  /** Why the client's certificate does not let it in; undefined when it does, or none is asked for. */
  readonly whyNotCertificate: string | undefined;
}

/** The client was turned away. */
export class NotAdmittedError extends Error {
  /** The name it gave. */
  readonly peer: string | undefined;
  /** Nobody has to do anything about it. */
  readonly expected: boolean;

  constructor(reason: string, peer: string | undefined, expected = false) {
    super(reason);
    this.name = 'NotAdmittedError';
    this.peer = peer;
    this.expected = expected;
  }
}

/** What `onProved` throws when a client that has proved itself cannot be served: it is told why. */
export class RefusalError extends Error {
  readonly code: RefusalCode;
  /** Refusing is the order of the day, and nothing that an operator must hear of. */
  readonly expected: boolean;

  /** @param reason  for people; it goes on after "this node was refused, because " */
  constructor(code: RefusalCode, reason: string, { expected = false }: { readonly expected?: boolean } = {}) {
    super(reason);
    this.name = 'RefusalError';
    this.code = code;
    this.expected = expected;
  }
}

/** A client that has not proved itself by then is cut off. */
const HANDSHAKE_MS = 5000;
const CLOSED_REFUSED = 4401;

/**
 * Says who we are, and makes sure that the client may come in.
 *
 * @param onProved  finds what is served to it, before it is welcomed; it may throw RefusalError
 * @returns what was found; the client has said nothing yet
 * @throws NotAdmittedError
 */
export function admit<Served extends { readonly promises: LogPromises }>(
  socket: WebSocket,
  rules: AdmissionRules,
  onProved: (hello: Hello) => Promise<Served>,
): Promise<Served> {
  return new Promise((resolve, reject) => {
    const challenge: Challenge = { nonce: newNonce() };
    let hello: Hello | undefined;
    let ended = false;
    const timer = setTimeout(() => refuse('handshake', 'it did not complete the handshake in time'), HANDSHAKE_MS);
    const end = () => {
      ended = true;
      clearTimeout(timer);
      socket.off('message', onMessage);
      socket.off('close', onClose);
    };
    const refuse = (code: RefusalCode, refused: string, peer = hello?.name, expected = false) => {
      end();
      socket.send(JSON.stringify({ refused, code } satisfies Refused));
      socket.close(CLOSED_REFUSED);
      reject(new NotAdmittedError(refused, peer, expected));
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
      // It says nothing more until it is welcomed.
      socket.off('message', onMessage);
      const proof = proofOf(secret, 'server', hello, challenge);
      onProved(hello).then(
        (served) => {
          if (ended) return;
          end();
          socket.send(JSON.stringify({ proof, promises: served.promises } satisfies Welcome));
          resolve(served);
        },
        (error) => {
          if (ended) return;
          const { code, expected } = error instanceof RefusalError ? error : { code: 'handshake' as const };
          refuse(code, messageOf(error), hello?.name, expected);
        },
      );
    };
    socket.on('message', onMessage);
    socket.on('close', onClose);
  });
}

/** What a refused client called itself, as far as it can stand in a log. */
function nameIn(hello: Partial<Hello>): string | undefined {
  return typeof hello.name === 'string' ? hello.name.replace(/\p{C}/gu, '').slice(0, 100) : undefined;
}
