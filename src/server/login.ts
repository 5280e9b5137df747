import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CatalogView } from '../catalog/index.ts';
import type { Authenticator, Credentials, Principal, RestRules } from '../security/index.ts';
import { CONTEXT_PATH } from './base-url.ts';

/** The realm that GeoServer's clients know. */
const CHALLENGE = 'Basic realm="GeoServer Realm", charset="UTF-8"';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sends this request; absent for nobody in particular. */
    principal?: Principal;
  }
}

/**
 * A hook that lets a request through to REST if its sender may do what it asks for: 401 asks for a login, 403 says that
 * this user may not. Wrong credentials are an error even where none are needed, as in GeoServer.
 */
export function restLogin(options: {
  readonly authenticator: Authenticator;
  readonly rules: RestRules;
  readonly view: CatalogView;
}): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined> {
  const { authenticator, rules, view } = options;
  return async (request, reply) => {
    const refuse = (status: number, text: string) => {
      if (status === 401) reply.header('www-authenticate', CHALLENGE);
      return reply.status(status).type('text/plain;charset=UTF-8').send(`${text}\n`);
    };
    const header = request.headers.authorization;
    let who: Principal | undefined;
    if (header !== undefined) {
      const credentials = parseBasic(header);
      if (credentials === undefined) return refuse(401, 'log in with HTTP Basic authentication');
      const answer = await authenticator.authenticate(credentials, view);
      if (answer.kind === 'refused') return refuse(401, answer.message);
      who = answer.principal;
      request.principal = who;
    }
    const path = request.url.slice(CONTEXT_PATH.length).replace(/[?#].*/s, '');
    switch (rules.access({ path, method: request.method }, who, view)) {
      case 'granted':
        return undefined;
      case 'forbidden':
        return refuse(403, `user ${who?.name} may not ${request.method} ${path}: an administrator may`);
      case 'login-needed':
        return refuse(401, authenticator.explainLogin(view));
    }
  };
}

/** @see RFC 7617: the user name ends at the first colon */
export function parseBasic(header: string): Credentials | undefined {
  const encoded = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
