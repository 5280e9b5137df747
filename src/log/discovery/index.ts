export { Discovery, type DiscoveryOptions, type Said } from './discovery.ts';
export { DEFAULT_DISCOVERY_ADDRESS, type MulticastAddress, multicast, parseMulticastAddress } from './multicast.ts';
export type { AnnouncedLog, Announcement, DatagramChannel, LogPlace, Neighbour, OpenDatagramChannel } from './types.ts';
