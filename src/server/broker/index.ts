export { type ConsoleOptions, type Refusal, type RunningConsole, startConsole } from './console.ts';
export { CONSOLE_USER, consolePassword, PASSWORD_VARIABLE } from './password.ts';
export type { ChangeDetails, ChangeSummary, OperationDetails, RecordDetails, RecordSummary } from './records.ts';
export { consoleRoutes, type GroupView, type NodeView, type RecordList } from './routes.ts';
