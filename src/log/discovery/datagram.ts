import { createHmac, timingSafeEqual } from 'node:crypto';
import { GROUP_CHARACTERS_MAX, isName } from '../websocket/index.ts';
import type { AnnouncedLog, Announcement } from './types.ts';

/*
 * One announcement, one datagram:
 *
 *   {"graticule":1,"said":"{\"group\":\"geoserver-cluster\",...}","mac":"..."}
 *
 * `mac` is the HMAC-SHA-256 of `said` with the cluster's secret, absent in a cluster without one. What is said is text inside
 * the text, so that the signature is over the very bytes.
 */

/** Stays below what networks pass on in one piece. */
export const DATAGRAM_BYTES_MAX = 1200;
const VERSION = 1;
const URL_CHARACTERS_MAX = 300;

/** Why a datagram is not listened to. */
export type Ignored = 'not-ours' | 'other-group' | 'unsigned' | 'wrong-signature';

export function macOf(secret: string, said: string): string {
  return createHmac('sha256', secret).update(`graticule discovery ${VERSION}\n${said}`).digest('hex');
}

/** @throws RangeError  names or URLs are too long for a datagram */
export function encodeAnnouncement(announcement: Announcement, secret: string | undefined): Buffer {
  const said = JSON.stringify(announcement);
  const datagram = Buffer.from(
    JSON.stringify({ graticule: VERSION, said, ...(secret === undefined ? {} : { mac: macOf(secret, said) }) }),
  );
  if (datagram.length > DATAGRAM_BYTES_MAX)
    throw new RangeError(
      `what this node would announce takes ${datagram.length} bytes, and a datagram has ${DATAGRAM_BYTES_MAX}: give it a shorter name or URL`,
    );
  return datagram;
}

/** @param secrets  those that are accepted; none: signatures are not looked at */
export function decodeAnnouncement(
  datagram: Uint8Array,
  group: string,
  secrets: readonly string[],
): Announcement | Ignored {
  if (datagram.length > DATAGRAM_BYTES_MAX) return 'not-ours';
  let mac: unknown;
  let said: unknown;
  let announcement: unknown;
  try {
    const outer = JSON.parse(Buffer.from(datagram).toString()) as {
      graticule?: unknown;
      said?: unknown;
      mac?: unknown;
    };
    if (outer?.graticule !== VERSION || typeof outer.said !== 'string') return 'not-ours';
    ({ said, mac } = outer);
    announcement = JSON.parse(outer.said);
  } catch {
    return 'not-ours';
  }
  if (!isAnnouncement(announcement)) return 'not-ours';
  if (announcement.group !== group) return 'other-group';
  if (secrets.length > 0) {
    if (typeof mac !== 'string') return 'unsigned';
    if (!secrets.some((secret) => equal(mac, macOf(secret, said as string)))) return 'wrong-signature';
  }
  return announcement;
}

function equal(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function isAnnouncement(value: unknown): value is Announcement {
  if (typeof value !== 'object' || value === null) return false;
  const { group, name, instance, url, candidate, follows, log } = value as Record<keyof Announcement, unknown>;
  return (
    isName(group, GROUP_CHARACTERS_MAX) &&
    isName(name) &&
    isId(instance) &&
    isUrl(url, /^https?:$/) &&
    (candidate === undefined || typeof candidate === 'boolean') &&
    (follows === undefined || isId(follows)) &&
    (log === undefined || isLog(log))
  );
}

function isLog(value: unknown): value is AnnouncedLog {
  if (typeof value !== 'object' || value === null) return false;
  const { url, id, position } = value as Record<keyof AnnouncedLog, unknown>;
  return (
    isUrl(url, /^wss?:$/) &&
    (id === undefined || isId(id)) &&
    typeof position === 'number' &&
    Number.isSafeInteger(position) &&
    position >= 0
  );
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{1,64}$/.test(value);
}

function isUrl(value: unknown, protocol: RegExp): boolean {
  if (typeof value !== 'string' || value.length > URL_CHARACTERS_MAX || !URL.canParse(value)) return false;
  const url = new URL(value);
  return protocol.test(url.protocol) && url.username === '' && url.password === '';
}
