export {
  type Authentication,
  Authenticator,
  type AuthenticatorOptions,
  type Credentials,
  type Principal,
} from './authenticator.ts';
export { type NewFile, newSecurityFiles } from './new-security.ts';
export { checkPassword, type PasswordCheck, sameText } from './passwords.ts';
export { parseProperties } from './properties.ts';
export {
  type Registry,
  readRegistry,
  type User,
} from './registry.ts';
export { type RestAccess, RestRules } from './rest-rules.ts';
