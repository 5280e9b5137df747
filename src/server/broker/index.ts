export { type Accounts, type ConsoleUser, consoleAccounts, PASSWORD_VARIABLES } from './accounts.ts';
export { type ConsoleOptions, type Refusal, type RunningConsole, startConsole } from './console.ts';
export type { ChangeDetails, ChangeSummary, OperationDetails, RecordDetails, RecordSummary } from './records.ts';
export { type BrokerView, consoleRoutes, type GroupView, type NodeView, type RecordList } from './routes.ts';
