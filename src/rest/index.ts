export {
  type ClusterSettings,
  type RestDependencies,
  type RestPrincipal,
  type SettingsChange,
  type UploadLimits,
  uploadLimits,
} from './dependencies.ts';
export { type ApiAbout, type ApiDescription, type DescribedRoute, describeApi } from './openapi.ts';
export { registerRest } from './register.ts';
