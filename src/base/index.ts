export { type Clock, systemClock } from './clock.ts';
export { messageOf, UnavailableError, UncertainError, UserError, unreachable } from './errors.ts';
export { FreshFiles } from './fresh-files.ts';
export { type Facts, type Logger, silentLogger } from './logger.ts';
export { ProcessLock } from './process-lock.ts';
export { randomHex } from './random-hex.ts';
export { type Answering, answerLink, type LinkEnd, ThreadLink, Transferred } from './thread-link.ts';
export { GEOSERVER_VERSION, VERSION } from './version.ts';
