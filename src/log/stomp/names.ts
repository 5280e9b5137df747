import { UserError } from '../../base/index.ts';

/** Topic of GeoServer's extension, and ours. */
export const DEFAULT_TOPIC = 'VirtualTopic.geoserver';

/** The destinations of one group's log. */
export interface Names {
  /** Virtual topic of the log: what is sent to it is in the queue of each node, in one order. */
  readonly topic: string;
  /** Queue of a node with that topic's messages; made by the first subscription. */
  queueOf(node: string): string;
  /** Queue of what is proposed for the log; whoever is its only consumer decides. */
  readonly proposals: string;
  /** Queue that tells where the log stands, for who decides next. */
  readonly standing: string;
  /** Topic of the nodes' signs of life; kept nowhere. */
  readonly nodes: string;
}

const PREFIX = 'VirtualTopic.';

/**
 * @param topicName  begins with `VirtualTopic.`, as brokers that are not told otherwise recognise such topics
 * @param group      any text: what the name of a destination cannot hold is written in hexadecimal
 * @throws UserError  the topic's name cannot be used
 */
export function namesOf(topicName: string, group: string): Names {
  if (!/^VirtualTopic(?:\.[A-Za-z0-9_-]+)+$/.test(topicName))
    throw new UserError(
      400,
      'bad-topic-name',
      `topicName=${topicName.slice(0, 200)}: the name of a virtual topic is expected, VirtualTopic. and words of letters, digits, - and _ with dots between them`,
    );
  const log = `${topicName.slice(PREFIX.length)}.${word(group)}`;
  return {
    topic: `/topic/${PREFIX}${log}`,
    queueOf: (node) => `/queue/Consumer.${word(node)}.${PREFIX}${log}`,
    proposals: `/queue/${log}.proposals`,
    standing: `/queue/${log}.standing`,
    nodes: `/topic/${log}.nodes`,
  };
}

function word(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) =>
      /[A-Za-z0-9-]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `_${byte.toString(16).padStart(2, '0')}`,
    )
    .join('');
}
