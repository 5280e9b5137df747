import type { XmlElement } from '../../xml/index.ts';
import type { LayerGroup } from '../objects.ts';
import type { FileFacts } from './file.ts';
import {
  boolean,
  boundingBox,
  commonStrings,
  type FieldTable,
  none,
  readFields,
  reference,
  text,
  word,
} from './values.ts';

interface LayerGroupFields extends Omit<LayerGroup, 'kind'> {
  readonly queryDisabled: boolean;
  /** The list of files before 2.3, which knew only layers. */
  readonly layers: LayerGroup['publishables'];
}

const group: FieldTable<LayerGroupFields> = {
  id: ['id', text],
  name: ['name', text],
  workspace: ['workspaceId', reference],
  mode: ['mode', word('SINGLE', 'OPAQUE_CONTAINER', 'NAMED', 'CONTAINER', 'EO')],
  title: ['title', text],
  abstractTxt: ['abstract', text],
  keywords: ['keywords', commonStrings],
  enabled: ['enabled', boolean],
  advertised: ['advertised', boolean],
  queryDisabled: ['queryDisabled', boolean],
  bounds: ['bounds', boundingBox],
  rootLayer: ['rootLayerId', reference],
  rootLayerStyle: ['rootLayerStyleId', reference],
  publishables: ['publishables', publishables],
  layers: ['layers', publishables],
  styles: ['styleIds', slots],
};

export function readLayerGroup(root: XmlElement, file: FileFacts): LayerGroup {
  const found = readFields(root, group);
  const members: LayerGroup['publishables'] = found.publishables ?? found.layers ?? none();
  const styles: LayerGroup['styleIds'] = found.styleIds ?? none();
  return {
    kind: 'layerGroup',
    ...file.common(found.id),
    name: file.required('name', found.name),
    workspaceId: found.workspaceId ?? file.workspaceFolder,
    mode: found.mode ?? 'SINGLE',
    title: found.title,
    abstract: found.abstract,
    keywords: found.keywords ?? none<string>(),
    enabled: found.enabled ?? true,
    advertised: found.advertised ?? true,
    queryable: !(found.queryDisabled ?? false),
    bounds: found.bounds,
    rootLayerId: found.rootLayerId,
    rootLayerStyleId: found.rootLayerStyleId,
    publishables: members,
    styleIds: styles.length === members.length ? styles : members.map((_, index) => styles[index]),
  };
}

/** `<published type="layer|layerGroup">`, or `<layer>` and `<layerGroup>`; an empty one is a slot. */
export function publishables(element: XmlElement): LayerGroup['publishables'] {
  return element.elements.map((member) => {
    const id = reference(member);
    if (id === undefined) return undefined;
    const type = member.attribute('type') ?? member.name;
    return { type: type === 'layerGroup' ? 'layerGroup' : 'layer', id };
  });
}

/** One reference or slot for each child. */
function slots(element: XmlElement): readonly (string | undefined)[] {
  return element.elements.map(reference);
}
