import { gzip } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { type Logger, messageOf } from '../../base/index.ts';
import type { CatalogView, Layer, Resource } from '../../catalog/index.ts';
import type { Position } from '../../tree/index.ts';
import { trustedXml, type Xml } from '../../xml/index.ts';
import { type ServiceScope, serviceSettings } from '../common/service-scope.ts';
import { type CapabilitiesModel, commonCrs, groupEntry, layerEntry, listed, type Node } from './capabilities.ts';
import * as v111 from './capabilities-1.1.1.ts';
import * as v130 from './capabilities-1.3.0.ts';
import type { WmsVersion } from './request.ts';
import { bodyHash } from './styles.ts';

/** What differs between capabilities documents of one state of the catalog. */
export interface Edition {
  readonly version: WmsVersion;
  readonly scope: ServiceScope;
  readonly baseUrl: string;
  readonly namespace?: string;
}

const WRITERS = { '1.1.1': v111, '1.3.0': v130 } as const;

/** A layer as it was written, and the hashes of what it was written from. */
interface Fragment {
  readonly sources: readonly string[];
  readonly xml: Xml;
}

class Document {
  readonly position: Position;
  readonly plain: Buffer;
  #zipped: Promise<Buffer> | undefined;

  constructor(position: Position, plain: Buffer) {
    this.position = position;
    this.plain = plain;
  }

  /** Level 1: half of the time of level 6 for a tenth more bytes. Off the main thread, and once. */
  get zipped(): Promise<Buffer> {
    this.#zipped ??= new Promise((resolve, reject) =>
      gzip(this.plain, { level: 1 }, (error, result) => (error === null ? resolve(result) : reject(error))),
    );
    return this.#zipped;
  }
}

/**
 * Capabilities documents, kept whole until the catalog moves on, and in fragments of one layer each until one of the files that the
 * layer was written from changes: a change to one layer of 10,000 writes one layer anew.
 */
export class CapabilitiesShelf {
  readonly #view: CatalogView;
  readonly #logger: Logger;
  readonly #documents: LRUCache<string, Document>;
  readonly #fragments = new Map<string, Map<string, Fragment>>();
  #reported: Position | undefined;

  constructor(options: { readonly view: CatalogView; readonly logger: Logger; readonly bytesMax: number }) {
    this.#view = options.view;
    this.#logger = options.logger;
    // A document may be kept twice, plain and zipped.
    this.#documents = new LRUCache({
      maxSize: options.bytesMax,
      sizeCalculation: ({ plain }) => Math.ceil(plain.length * 1.2),
    });
  }

  get(edition: Edition, position: Position): Document {
    const { version, scope, baseUrl, namespace } = edition;
    const key = [version, scope.path, namespace ?? '', baseUrl].join('\n');
    const kept = this.#documents.get(key);
    if (kept?.position === position) return kept;
    const made = new Document(position, this.#write(edition, position));
    this.#documents.set(key, made);
    return made;
  }

  #write({ version, scope, baseUrl, namespace }: Edition, position: Position): Buffer {
    const view = this.#view;
    const writer = WRITERS[version];
    const service = serviceSettings(view, scope, 'wms');
    const settings = (scope.workspace && view.localSettings(scope.workspace)) ?? view.globalSettings();
    const model: CapabilitiesModel = {
      service,
      contact: settings?.contact ?? {},
      url: `${baseUrl}${scope.path}/wms?`,
      updateSequence: position,
      root: {
        title: service?.rootLayerTitle ?? service?.title ?? 'Web Map Service',
        abstract: service?.rootLayerAbstract ?? service?.abstract,
        crs: commonCrs(service),
      },
    };
    const { nodes, skipped } = listed(view, scope, namespace);
    const fragments = this.#fragmentsFor(`${version} ${scope.workspace === undefined || scope.prefixed}`);
    const write = (node: Node): Xml | undefined => {
      try {
        if (node.kind === 'layer') return this.#fragment(fragments, { ...node, version, scope });
        return writer.layer(groupEntry(view, scope, node.group), node.children.map(write));
      } catch (error) {
        // Whatever is wrong with one layer, the others are listed.
        const name = node.kind === 'layer' ? node.resource.name : node.group.name;
        skipped.push({ name, problem: messageOf(error) });
        return undefined;
      }
    };
    const layers = nodes.map((node) => write(node)?.text ?? '');
    if (skipped.length > 0 && this.#reported !== position) {
      this.#reported = position;
      this.#logger.warn('wms.layers.skipped', { count: skipped.length, layers: skipped.slice(0, 20) });
    }
    const parts = [writer.documentStart(model).text, ...layers, writer.documentEnd.text];
    return Buffer.from(parts.join(''), 'utf8');
  }

  #fragmentsFor(kind: string): Map<string, Fragment> {
    let fragments = this.#fragments.get(kind);
    if (fragments === undefined) {
      fragments = new Map();
      this.#fragments.set(kind, fragments);
    }
    // Fragments of layers that are gone are not looked for; now and then everything is written anew.
    if (fragments.size > this.#view.counts().layer * 1.5 + 1000) fragments.clear();
    return fragments;
  }

  #fragment(
    fragments: Map<string, Fragment>,
    subject: {
      readonly layer: Layer;
      readonly resource: Resource;
      readonly version: WmsVersion;
      readonly scope: ServiceScope;
    },
  ): Xml {
    const { layer, resource, version, scope } = subject;
    const sources = this.#sources(layer, resource);
    const kept = fragments.get(layer.id);
    if (kept !== undefined && sameTexts(kept.sources, sources)) return kept.xml;
    const xml = trustedXml(WRITERS[version].layer(layerEntry(this.#view, scope, layer, resource)).text);
    fragments.set(layer.id, { sources, xml });
    return xml;
  }

  #sources(layer: Layer, resource: Resource): string[] {
    const view = this.#view;
    const sources: string[] = [layer.hash, resource.hash, view.workspaceOf(layer)?.hash ?? ''];
    const add = (id: string) => {
      const style = view.styleById(id);
      if (style === undefined) sources.push('');
      else sources.push(style.hash, bodyHash(view, style) ?? '');
    };
    if (layer.defaultStyleId !== undefined) add(layer.defaultStyleId);
    for (const id of layer.styleIds) add(id);
    return sources;
  }
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}
