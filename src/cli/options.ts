import { type Command, InvalidArgumentError, Option } from 'commander';
import { GROUP_CHARACTERS_MAX, isName } from '../log/index.ts';

/** An option of a command, declared once: flags, environment and help follow from it. */
export interface OptionSpec<Value> {
  /** As commander writes it: `--port <number>`, `--adopt`. */
  readonly flags: string;
  readonly description: string;
  /** Environment variable that gives the value where the flag is absent. */
  readonly env?: string;
  readonly default?: Value;
  /** How help writes the default, where the value itself says little. */
  readonly defaultText?: string;
  readonly choices?: readonly string[];
  readonly required?: true;
  /** @throws InvalidArgumentError  the text means nothing */
  readonly parse?: (text: string) => Value;
}

/** Options by their name in code, which is the flag in camel case. */
export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

export function addOptions(command: Command, table: OptionTable): Command {
  for (const spec of Object.values(table)) {
    // Commander shows the text of a default only beside a value.
    const note = spec.default === undefined && spec.defaultText !== undefined ? ` (default: ${spec.defaultText})` : '';
    const option = new Option(spec.flags, spec.description + note);
    // A variable that is set to nothing is not set: compose files and charts write it so.
    if (spec.env !== undefined && process.env[spec.env] !== '') option.env(spec.env);
    if (spec.default !== undefined) option.default(spec.default, spec.defaultText);
    if (spec.choices !== undefined) option.choices(spec.choices);
    else if (spec.parse !== undefined) {
      const { parse } = spec;
      option.argParser((text) => parse(text));
    }
    // `--adopt` alone is a yes; the environment says yes or no.
    if (spec.parse === parseSwitch) option.preset('yes');
    if (spec.required) option.makeOptionMandatory();
    command.addOption(option);
  }
  return command;
}

export function parsePort(text: string): number {
  return wholeNumber(text, 0, 65_535);
}

/** A whole number between two bounds, both included. */
export function wholeNumber(text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < min || value > max)
    throw new InvalidArgumentError(`A whole number from ${min} to ${max} is expected.`);
  return value;
}

/** So many bytes: `1000`, `64K`, `512M`, `2G`, up to 64 GiB. */
export function parseBytes(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,12})([KMG]?)i?B?$/i.exec(text.trim()) ?? [];
  const bytes = Number(digits) * 1024 ** ' KMG'.indexOf(unit.toUpperCase() || ' ');
  if (digits === '' || bytes < 1 || bytes > 64 * 1024 ** 3)
    throw new InvalidArgumentError('A size like 512M or 2G is expected, 64G at most.');
  return bytes;
}

/** `true`, `enabled`, `yes`, `1` and their opposites, as environment variables have them. */
export function parseSwitch(text: string): boolean {
  if (/^(?:true|enabled|yes|on|1)$/i.test(text)) return true;
  if (/^(?:false|disabled|no|off|0|)$/i.test(text)) return false;
  throw new InvalidArgumentError('true or false is expected.');
}

/** `*`, or a comma-separated list of origins. */
export function parseOrigins(text: string): '*' | string[] {
  if (text.trim() === '*') return '*';
  const origins = text.split(',').map((item) => item.trim().replace(/\/$/, ''));
  for (const origin of origins)
    if (!/^https?:\/\/[^/\s]+$/.test(origin))
      throw new InvalidArgumentError(`"${origin}" is not an origin like https://maps.example.org.`);
  return origins;
}

/** Name of a cluster. */
export function parseGroup(text: string): string {
  const group = text.trim();
  if (!isName(group, GROUP_CHARACTERS_MAX))
    throw new InvalidArgumentError(`A name of 1 to ${GROUP_CHARACTERS_MAX} characters is expected.`);
  return group;
}

/** Base URL of a node: `http://host:8080/geoserver`, without a slash at its end. */
export function parseBaseUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:\/\//.test(text))
    throw new InvalidArgumentError('A URL like http://host:8080/geoserver is expected.');
  return text.replace(/\/+$/, '');
}
