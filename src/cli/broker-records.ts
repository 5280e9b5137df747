import { UserError } from '../base/index.ts';
import type {
  ChangeDetails,
  OperationDetails,
  RecordDetails,
  RecordList,
  RecordSummary,
} from '../server/broker/index.ts';
import { activeBroker, groupPath } from './broker-connection.ts';
import type { BrokerRecordsOptions } from './broker-console-options.ts';
import { bytesText } from './broker-status.ts';
import { addressText, localTime, whatText } from './log.ts';
import { readJson, withQuery } from './requests.ts';
import { styled, table } from './text.ts';

/** Prints records of a group, ascending; or one with all that it does to files. */
export async function brokerRecords(
  group: string,
  position: string | undefined,
  options: BrokerRecordsOptions,
): Promise<void> {
  const { at } = await activeBroker(options);
  if (position !== undefined) {
    if (!/^\d{1,15}$/.test(position)) throw new UserError(400, 'bad-position', `"${position}" is no position`);
    const details = await readJson<RecordDetails>(at, groupPath(group, `/records/${position}`));
    console.log(options.json ? JSON.stringify(details, undefined, 2) : detailsText(details));
    return;
  }
  const { after, limit } = options;
  const list = await readJson<RecordList>(at, withQuery(groupPath(group, '/records'), { after, limit }));
  console.log(options.json ? JSON.stringify(list, undefined, 2) : listText(list));
}

function listText({ head, trimmed, after, records }: RecordList): string {
  if (records.length === 0) return `  No record after ${after}; the log holds ${trimmed + 1} to ${head}.`;
  const last = records.at(-1)!.position;
  const lines = [
    table([
      ['POSITION', 'TIME', 'WHO', 'NODE', 'WHAT', 'FILES', 'BYTES'],
      ...records.map((record) => [
        styled('yellow', String(record.position)),
        record.at === undefined ? '-' : localTime(record.at),
        styled('bold', record.changes[0]?.by ?? '-'),
        record.node ?? '-',
        whatOf(record),
        stepsOf(record),
        bytesText(record.bytes),
      ]),
    ]),
  ];
  if (last < head) lines.push('', styled('dim', `  Newer ones: --after ${last}`));
  return lines.join('\n');
}

function whatOf({ kind, changes, changeCount, reason }: RecordSummary): string {
  if (kind === 'genesis') return 'the state that the log begins with';
  if (reason !== undefined) return styled(kind === 'unreadable' ? 'red' : 'dim', reason);
  const more = changeCount > 1 ? ` and ${changeCount - 1} more` : '';
  return `${whatText(changes[0]?.why ?? '')}${more}`;
}

function stepsOf({ changes }: RecordSummary): string {
  const [first] = changes;
  if (first?.steps[0] === undefined) return '';
  return `${first.steps[0]}${first.operationCount > 1 ? ` and ${first.operationCount - 1} more` : ''}`;
}

function detailsText(record: RecordDetails): string {
  const { position, bytes, kind, at, node, digest, changes } = record;
  const head = [`record ${position}: ${bytesText(bytes)}${digest ? `, digest ${digest.slice(0, 12)} after it` : ''}`];
  if (record.reason !== undefined) head.push(`  ${styled(kind === 'unreadable' ? 'red' : 'dim', record.reason)}`);
  if (kind === 'genesis') head.push(`  the log ${record.logId} begins; by node ${node} at ${localTime(at!)}`);
  return [styled('yellow', head[0]!), ...head.slice(1), ...changes.map(changeText)].join('\n');
}

function changeText({ id, at, by, address, node, why, operations, operationCount }: ChangeDetails): string {
  const more = operationCount - operations.length;
  return [
    '',
    `${whatText(why)} ${styled('dim', `(${id})`)}`,
    `  by ${styled('bold', by)}${address ? ` from ${addressText(address)}` : ''} on node ${node}, ${localTime(at)}`,
    ...operations.map(operationText),
    ...(more > 0 ? [`    … and ${more} more`] : []),
  ].join('\n');
}

function operationText(operation: OperationDetails): string {
  switch (operation.kind) {
    case 'put': {
      const { path, size, content, text } = operation;
      const lines = [`    ${styled('green', 'put')} ${path} ${styled('dim', `${bytesText(size)}, ${content}`)}`];
      if (text !== undefined) lines.push(text.replace(/\n$/, '').replace(/^/gm, '        '));
      return lines.join('\n');
    }
    case 'delete':
      return `    ${styled('red', 'delete')} ${operation.path}`;
    case 'move':
      return `    ${styled('cyan', 'move')} ${operation.from} → ${operation.to}`;
  }
}
