/** For tests: OpenLayers' reader of capabilities, over just as much of a DOM as it needs, built by an independent XML parser. */
import WMSCapabilities from 'ol/format/WMSCapabilities.js';
import { SaxesParser } from 'saxes';

// The reader compares node types by these.
Object.assign(globalThis, { Node: { ELEMENT_NODE: 1, TEXT_NODE: 3, CDATA_SECTION_NODE: 4, DOCUMENT_NODE: 9 } });

class DomNode {
  readonly nodeType: number;
  readonly nodeValue: string;
  readonly localName: string;
  readonly namespaceURI: string | null;
  readonly attributes: ReadonlyMap<string, string>;
  readonly childNodes: DomNode[] = [];
  parent: DomNode | undefined;

  constructor(parts: {
    type: number;
    value?: string;
    name?: string;
    namespace?: string;
    attributes?: Map<string, string>;
  }) {
    this.nodeType = parts.type;
    this.nodeValue = parts.value ?? '';
    this.localName = parts.name ?? '';
    this.namespaceURI = parts.namespace === '' ? null : (parts.namespace ?? null);
    this.attributes = parts.attributes ?? new Map();
  }

  get firstChild(): DomNode | null {
    return this.childNodes[0] ?? null;
  }

  get nextSibling(): DomNode | null {
    const siblings = this.parent?.childNodes ?? [];
    return siblings[siblings.indexOf(this) + 1] ?? null;
  }

  get firstElementChild(): DomNode | null {
    return this.childNodes.find((child) => child.nodeType === 1) ?? null;
  }

  get nextElementSibling(): DomNode | null {
    let next = this.nextSibling;
    while (next !== null && next.nodeType !== 1) next = next.nextSibling;
    return next;
  }

  getAttribute(name: string): string | null {
    return this.attributes.get(name) ?? null;
  }

  hasAttribute(name: string): boolean {
    return this.attributes.has(name);
  }

  getAttributeNS(namespace: string | null, name: string): string | null {
    return this.attributes.get(`${namespace ?? ''} ${name}`) ?? null;
  }
}

function parseDom(text: string): DomNode {
  const root = new DomNode({ type: 9 });
  let open = root;
  const append = (node: DomNode) => {
    node.parent = open;
    open.childNodes.push(node);
  };
  const parser = new SaxesParser({ xmlns: true });
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', (tag) => {
    const attributes = new Map<string, string>();
    for (const { name, local, uri, value } of Object.values(tag.attributes)) {
      attributes.set(name, value);
      attributes.set(`${uri} ${local}`, value);
    }
    const node = new DomNode({ type: 1, name: tag.local, namespace: tag.uri, attributes });
    append(node);
    open = node;
  });
  parser.on('closetag', () => {
    open = open.parent!;
  });
  parser.on('text', (value) => append(new DomNode({ type: 3, value })));
  parser.write(text).close();
  return root;
}

interface ReadLayer {
  readonly Name?: string;
  readonly Title: string;
  readonly KeywordList: readonly string[];
  readonly BoundingBox: readonly { readonly crs?: string; readonly srs?: string; readonly extent: readonly number[] }[];
  readonly Attribution: { readonly Title: string };
  readonly MetadataURL: readonly { readonly OnlineResource: string }[];
  readonly Style: readonly { readonly Name: string; readonly Title: string }[];
  readonly Layer: readonly ReadLayer[];
}

export interface ReadDocument {
  readonly version: string;
  readonly Capability: { readonly Layer: ReadLayer };
}

/** What OpenLayers makes of a document. */
export function readDocument(text: string): ReadDocument {
  return new WMSCapabilities().readFromDocument(parseDom(text) as never) as ReadDocument;
}
