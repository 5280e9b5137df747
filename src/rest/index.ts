export { type RestDependencies, type RestPrincipal, UPLOAD_LIMITS, type UploadLimits } from './dependencies.ts';
export { registerRest } from './register.ts';
