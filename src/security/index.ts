export {
  type Authentication,
  Authenticator,
  type AuthenticatorOptions,
  type Credentials,
  NO_USERS,
  type Principal,
} from './authenticator.ts';
export { type NewFile, newSecurityFiles } from './new-security.ts';
export { checkPassword, encodePassword, type PasswordCheck, sameText } from './passwords.ts';
export { parseProperties } from './properties.ts';
export {
  type Registry,
  ROLE_ADMINISTRATOR,
  ROLE_ANONYMOUS,
  ROLE_AUTHENTICATED,
  ROLE_GROUP_ADMIN,
  readRegistry,
  type User,
} from './registry.ts';
export { antPath, type RestAccess, RestRules } from './rest-rules.ts';
