import pg from 'pg';
import { messageOf, UnavailableError } from '../../base/index.ts';
import { LogRefusedError } from '../errors.ts';

/** The connection broke, or no answer came: whether the statement was carried out is not known. */
export class LostError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LostError';
  }
}

/** What went wrong where, for people. */
export interface Circumstances {
  /** `database at host:port`. */
  readonly place: string;
  readonly user: string;
  readonly schema: string;
}

/** SQLSTATEs, or their classes, of errors that end a statement and never the connection. */
const STATEMENT_ERRORS = /^(?:0A|22|23|25006|25P02|3F|40|42|54|55|57014)/;

/**
 * Whether PostgreSQL says that it did not carry out the statement, and goes on with the session. It cannot be known when the server broke
 * the connection off: a commit may have been on its way. Servers translate the word `ERROR`; then the code decides, where it can.
 */
export function isDefinite(error: unknown): error is pg.DatabaseError {
  if (!(error instanceof pg.DatabaseError)) return false;
  const { severity, code = '' } = error;
  return severity === 'ERROR' || (severity !== 'FATAL' && severity !== 'PANIC' && STATEMENT_ERRORS.test(code));
}

/** A failure in terms of the log: refused, with the remedy, or unavailable. */
export function explained(error: unknown, where: Circumstances): UnavailableError {
  if (error instanceof UnavailableError) return error;
  const { place, user, schema } = where;
  const root = error instanceof LostError ? (error.cause ?? error) : error;
  const said = textOf(root);
  const refused = (remedy: string) =>
    new LogRefusedError(`PostgreSQL (${place}) refuses this node: ${said}; ${remedy}`, { cause: error });
  const unavailable = (what: string, code = 'log-unreachable') =>
    new UnavailableError(code, `PostgreSQL (${place}) ${what}: ${said}`, { cause: error });
  const code = String((root as { code?: unknown } | undefined)?.code ?? '');
  switch (code) {
    case '28P01':
    case '28000':
      return refused(
        `check user and password (in the URL of the log, PGPASSWORD, or ~/.pgpass), and the server's pg_hba.conf`,
      );
    case '3D000':
      return refused(`create the database (CREATE DATABASE), or name another one in the URL of the log`);
    case '42501':
      return refused(
        `the role ${user} needs rights in the schema ${schema}: let its owner run the script of docs/engines/postgresql.md, or let the role make it (GRANT CREATE ON DATABASE)`,
      );
    case '3F000':
    case '42P01':
    case '42703':
      return refused(
        `the tables in the schema ${schema} are gone, or not ours: restore them, or give this node another ?schema=`,
      );
    case '53300':
      return unavailable('has no connection left for this node (max_connections, or the limit of the role)');
    case '53100':
      return unavailable('has no space left on its disk', 'log-failed');
    case '25006':
      return unavailable('takes no changes now', 'log-failed');
    case '57P03':
    case '57P01':
    case '57P02':
      return unavailable('is starting or stopping');
    case '57014':
    case '55P03':
      return unavailable('was too slow', 'log-failed');
    default:
  }
  if (/client password must be a string|no password/i.test(said))
    return refused('it asks for a password: give one in the URL of the log, PGPASSWORD, or ~/.pgpass');
  if (/does not support SSL/i.test(said))
    return refused(
      'the URL of the log asks for TLS (sslmode): set the server up for it (ssl = on), or write sslmode=prefer',
    );
  const certificate = certificateTrouble(code);
  if (certificate !== undefined) return refused(certificate);
  if (error instanceof pg.DatabaseError) return unavailable('failed', 'log-failed');
  return unavailable('cannot be used now');
}

function certificateTrouble(code: string): string | undefined {
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'its certificate is for another name than the one in the URL of the log (sslmode=verify-full asks for it)';
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return 'renew its certificate, or check the clocks';
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_SIGNATURE_FAILURE':
    case 'CERT_UNTRUSTED':
      return `its certificate is not from an authority that this node trusts: name the authority's file with sslrootcert`;
    default:
      return undefined;
  }
}

/** A refused connection to several addresses comes as one error without a text. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}
