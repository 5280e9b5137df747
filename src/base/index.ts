export { type Clock, systemClock } from './clock.ts';
export { messageOf, UnavailableError, UncertainError, UserError, unreachable } from './errors.ts';
export { FreshFiles } from './fresh-files.ts';
export { type Facts, type Logger, silentLogger } from './logger.ts';
export { randomHex } from './random-hex.ts';
export { GEOSERVER_VERSION, VERSION } from './version.ts';
