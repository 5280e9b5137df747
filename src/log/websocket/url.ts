import { UserError } from '../../base/index.ts';
import { DEFAULT_PATH } from './wire.ts';

/**
 * The servers that a log URL names, in the order in which they are tried: `ws://host:port`, `wss://host/path`, or several in
 * `failover:(ws://a,ws://b)`. A URL without a path gets the usual one.
 *
 * @throws UserError  the text is none of these
 */
export function parseLogUrl(text: string): readonly string[] {
  const several = /^failover:\(?([^()]*)\)?(?:\?.*)?$/.exec(text.trim());
  const urls = (several === null ? [text] : several[1]!.split(','))
    .map((each) => each.trim())
    .filter((each) => each !== '');
  if (urls.length === 0) throw wrong(text, 'it names no server');
  return urls.map((each) => {
    let url: URL;
    try {
      url = new URL(each);
    } catch {
      throw wrong(text, `${JSON.stringify(each)} is not a URL`);
    }
    if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
      throw wrong(text, `${url.protocol}// is not ws:// or wss://`);
    if (url.username !== '' || url.password !== '') throw wrong(text, 'the secret does not belong into the URL');
    if (url.pathname === '/') url.pathname = DEFAULT_PATH;
    url.hash = '';
    return url.href;
  });
}

function wrong(text: string, reason: string): UserError {
  return new UserError(
    400,
    'bad-log-url',
    `${JSON.stringify(text)} does not say where the log is: ${reason}. Write ws://host:port, or failover:(ws://a:8080,ws://b:8080)`,
  );
}
