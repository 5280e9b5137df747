import { type ConnectionOptions, callRest } from './connection.ts';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** A path with the parameters that have a value. */
export function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return given.length > 0 ? `${path}?${new URLSearchParams(given)}` : path;
}

/** As `callRest`, for an answer in JSON. */
export async function readJson<T>(
  at: ConnectionOptions,
  resource: string,
  request?: Parameters<typeof callRest>[2],
): Promise<T> {
  return (await (await callRest(at, resource, request)).json()) as T;
}

/** Backups may be long, and networks slow. */
export const TRANSFER_MS = 24 * 3600 * 1000;
