import { type OptionTable, parseGroup } from './options.ts';
import { SERVE_OPTIONS, type ServeOptions } from './serve-options.ts';

export interface LogCopyOptions
  extends Pick<ServeOptions, 'group' | 'secretFile' | 'tlsCa' | 'tlsClientCert' | 'tlsClientKey'> {
  readonly toGroup?: string;
}

const { group, secretFile, tlsCa, tlsClientCert, tlsClientKey } = SERVE_OPTIONS as Readonly<
  Record<'group' | 'secretFile' | 'tlsCa' | 'tlsClientCert' | 'tlsClientKey', OptionTable[string]>
>;

export const LOG_COPY_OPTIONS: OptionTable = {
  group,
  toGroup: {
    flags: '--to-group <name>',
    description: 'name of the cluster in the new log',
    defaultText: 'the same',
    parse: parseGroup,
  },
  secretFile: { ...secretFile, defaultText: 'cluster/secret in this folder' },
  tlsCa,
  tlsClientCert,
  tlsClientKey,
};
