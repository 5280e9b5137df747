/** What a node says of itself to everyone on its network. */
export interface Announcement {
  readonly group: string;
  /** Name of the node. */
  readonly name: string;
  /** Of this process: tells apart two nodes that were given one name. */
  readonly instance: string;
  /** Base URL of its HTTP service. */
  readonly url: string;
  /** It looks for a log, has never followed one, and may start one. */
  readonly candidate?: boolean;
  /** Id of the log that its data directory belongs to, if it does. */
  readonly follows?: string;
  /** The log that it holds. */
  readonly log?: AnnouncedLog;
}

export interface AnnouncedLog {
  /** `ws://host:port/path`. The host `0.0.0.0` stands for the address that the announcement comes from. */
  readonly url: string;
  /** Absent while the log is being begun. */
  readonly id?: string;
  readonly position: number;
}

/** A node that was heard of in the last seconds. */
export interface Neighbour extends Announcement {
  /** Address that it was heard from; nobody has checked it. */
  readonly address: string;
}

/** The network, as far as discovery needs it. */
export interface DatagramChannel {
  send(datagram: Uint8Array): void;
  close(): Promise<void>;
}

/** Opens the network; what arrives goes to `onDatagram`. */
export type OpenDatagramChannel = (
  onDatagram: (datagram: Uint8Array, address: string) => void,
) => Promise<DatagramChannel>;

/** Where this node's log is. */
export type LogPlace =
  /** At one of these URLs. */
  | { readonly kind: 'follow'; readonly urls: readonly string[] }
  /** Nobody has one, and it is on this node to start it. */
  | { readonly kind: 'start' }
  /** Not known yet; why, for people. */
  | { readonly kind: 'wait'; readonly reason: string }
  /** Several logs claim the group, and a node that belongs to none of them must not choose. */
  | { readonly kind: 'several'; readonly reason: string };
