import type { XmlElement } from '../../xml/index.ts';
import { readMap } from '../brief-map.ts';
import type { Contact, GlobalSettings, LocalSettings, LoggingSettings } from '../objects.ts';
import type { FileFacts } from './file.ts';
import { boolean, type FieldTable, number, readFields, reference, text } from './values.ts';

const contact: FieldTable<Contact> = {
  contactPerson: ['person', text],
  contactOrganization: ['organization', text],
  contactPosition: ['position', text],
  addressType: ['addressType', text],
  address: ['address', text],
  addressDeliveryPoint: ['addressDeliveryPoint', text],
  addressCity: ['addressCity', text],
  addressState: ['addressState', text],
  addressPostalCode: ['addressPostalCode', text],
  addressCountry: ['addressCountry', text],
  contactVoice: ['voice', text],
  contactFacsimile: ['facsimile', text],
  contactEmail: ['email', text],
  onlineResource: ['onlineResource', text],
  welcome: ['welcome', text],
};

function readContact(element: XmlElement): Contact {
  return readFields<Contact>(element, contact);
}

type SettingsFields = Omit<LocalSettings, 'kind'>;

const settings: FieldTable<SettingsFields> = {
  id: ['id', text],
  workspace: ['workspaceId', reference],
  contact: ['contact', readContact],
  charset: ['charset', text],
  numDecimals: ['numDecimals', number],
  proxyBaseUrl: ['proxyBaseUrl', text],
  onlineResource: ['onlineResource', text],
  verbose: ['verbose', boolean],
  verboseExceptions: ['verboseExceptions', boolean],
  localWorkspaceIncludesPrefix: ['localWorkspaceIncludesPrefix', boolean],
  metadata: ['quietOnNotFound', (element) => readMap(element).get('quietOnNotFound') === 'true'],
};

function build(found: Partial<SettingsFields>, file: FileFacts) {
  return {
    ...file.common(found.id),
    contact: found.contact ?? {},
    charset: found.charset ?? 'UTF-8',
    numDecimals: found.numDecimals ?? 4,
    proxyBaseUrl: found.proxyBaseUrl,
    onlineResource: found.onlineResource,
    verbose: found.verbose ?? true,
    verboseExceptions: found.verboseExceptions ?? false,
    localWorkspaceIncludesPrefix: found.localWorkspaceIncludesPrefix ?? false,
    quietOnNotFound: found.quietOnNotFound ?? false,
  };
}

const globalFields: FieldTable<Pick<GlobalSettings, 'updateSequence' | 'globalServices'>> = {
  updateSequence: ['updateSequence', number],
  globalServices: ['globalServices', boolean],
};

/** Files before 2.2 have what is in `<settings>` today directly in `<global>`; what is in both counts in `<settings>`. */
export function readGlobal(root: XmlElement, file: FileFacts): GlobalSettings {
  const block = root.child('settings');
  const found = { ...readFields(root, settings), ...(block && readFields(block, settings)) };
  const global = readFields(root, globalFields);
  return {
    kind: 'global',
    ...build(found, file),
    updateSequence: global.updateSequence ?? 0,
    globalServices: global.globalServices ?? true,
  };
}

export function readLocalSettings(root: XmlElement, file: FileFacts): LocalSettings {
  const found = readFields(root, settings);
  return { kind: 'settings', ...build(found, file), workspaceId: found.workspaceId ?? file.workspaceFolder ?? '' };
}

const logging: FieldTable<Omit<LoggingSettings, 'kind'>> = {
  id: ['id', text],
  level: ['level', text],
  location: ['location', text],
  stdOutLogging: ['stdOutLogging', boolean],
};

/** Files before 2.21 name the profile with its suffix. */
export function readLogging(root: XmlElement, file: FileFacts): LoggingSettings {
  const found = readFields(root, logging);
  return {
    kind: 'logging',
    ...file.common(found.id),
    level: (found.level ?? 'DEFAULT_LOGGING').replace(/\.(properties|xml)$/, ''),
    location: found.location ?? 'logs/geoserver.log',
    stdOutLogging: found.stdOutLogging ?? true,
  };
}
