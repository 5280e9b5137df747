/**
 * Three kinds of failure, never mixed: the caller's mistake (`UserError`), the world's failure (`UnavailableError`,
 * `UncertainError`), and our own bug (any other `Error`).
 */

/** The caller's mistake. The text is shown to the caller: it names the thing, and says what to do. */
export class UserError extends Error {
  /** HTTP status, 400 to 499, or 507 for what finds no room; GeoServer's own REST API answers some of these with 500, so that is allowed too. */
  readonly status: number;
  /** Stable word for programs, for example `workspace-not-found`. */
  readonly code: string;

  constructor(status: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UserError';
    this.status = status;
    this.code = code;
  }
}

/** Something outside this process did not answer; nothing was done, and a later try may succeed. */
export class UnavailableError extends Error {
  /** Stable word for programs, for example `log-unreachable`. */
  readonly code: string;
  /** When a client may try again. */
  readonly retryAfterSeconds: number;

  constructor(code: string, message: string, options?: ErrorOptions & { retryAfterSeconds?: number }) {
    super(message, options);
    this.name = 'UnavailableError';
    this.code = code;
    this.retryAfterSeconds = options?.retryAfterSeconds ?? 1;
  }
}

/** It is not known whether the operation took place. Whoever tries again must be able to recognise the first try. */
export class UncertainError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UncertainError';
  }
}

/** Text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For the `default` of a switch over a union: a case that is missing does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
