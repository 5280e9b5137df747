/** For tests: a small data directory with everything that decides what is listed and drawn. */

const workspaces = ['cite', 'topp', 'apart'];

function workspaceFiles(name: string): Record<string, string> {
  return {
    [`workspaces/${name}/workspace.xml`]: `<workspace><id>ws-${name}</id><name>${name}</name>${name === 'apart' ? '<isolated>true</isolated>' : ''}</workspace>`,
    [`workspaces/${name}/namespace.xml`]: `<namespace><id>ns-${name}</id><prefix>${name}</prefix><uri>http://${name}</uri></namespace>`,
    [`workspaces/${name}/shapes/datastore.xml`]: storeFile(name, 'shapes', true),
  };
}

function storeFile(workspace: string, name: string, enabled: boolean): string {
  return `<dataStore><id>store-${workspace}-${name}</id><name>${name}</name><type>Directory of spatial files (shapefiles)</type><enabled>${enabled}</enabled><workspace><id>ws-${workspace}</id></workspace><connectionParameters><entry key="url">file:data/shapes</entry></connectionParameters></dataStore>`;
}

interface Special {
  readonly title?: string;
  readonly type?: string;
  readonly layer?: string;
  readonly store?: string;
  readonly srs?: string;
}

/** A feature type with its layer. */
export function layerFiles(
  workspace: string,
  name: string,
  title = name,
  special: Special = {},
): Record<string, string> {
  const store = special.store ?? 'shapes';
  const folder = `workspaces/${workspace}/${store}/${name}`;
  const srs = special.srs ?? 'EPSG:4258';
  return {
    [`${folder}/featuretype.xml`]: `<featureType><id>ft-${workspace}-${name}</id><name>${name}</name><nativeName>${name}</nativeName><namespace><id>ns-${workspace}</id></namespace><title>${title}</title>${special.type ?? ''}<srs>${srs}</srs><nativeBoundingBox><minx>10</minx><maxx>12</maxx><miny>50</miny><maxy>51</maxy><crs>${srs}</crs></nativeBoundingBox><latLonBoundingBox><minx>10</minx><maxx>12</maxx><miny>50</miny><maxy>51</maxy><crs>EPSG:4326</crs></latLonBoundingBox><projectionPolicy>FORCE_DECLARED</projectionPolicy>${special.type?.includes('<enabled>') ? '' : '<enabled>true</enabled>'}<store class="dataStore"><id>store-${workspace}-${store}</id></store></featureType>`,
    [`${folder}/layer.xml`]: `<layer><name>${name}</name><id>layer-${workspace}-${name}</id><type>VECTOR</type><defaultStyle><id>style-blue</id></defaultStyle><resource class="featureType"><id>ft-${workspace}-${name}</id></resource>${special.layer ?? ''}</layer>`,
  };
}

function groupFile(
  name: string,
  mode: string,
  members: readonly (readonly ['layer' | 'layerGroup' | 'style', string])[],
  more = '',
): string {
  const published = members.map(([type, id]) =>
    type === 'style' ? '<published/>' : `<published type="${type}"><id>${id}</id></published>`,
  );
  const styles = members.map(([type, id]) => (type === 'style' ? `<style><id>${id}</id></style>` : '<style/>'));
  return `<layerGroup><id>group-${name}</id><name>${name}</name><mode>${mode}</mode><title>Group ${name}</title>${more}<publishables>${published.join('')}</publishables><styles>${styles.join('')}</styles><bounds><minx>10</minx><maxx>12</maxx><miny>50</miny><maxy>51</maxy><crs>EPSG:4326</crs></bounds></layerGroup>`;
}

export function sld(title: string, fill = '#0000ff', more = ''): string {
  return `<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc" xmlns:xlink="http://www.w3.org/1999/xlink"><NamedLayer><Name>x</Name><UserStyle><Title>${title}</Title><FeatureTypeStyle><Rule><Title>not this</Title><PolygonSymbolizer><Fill>${more}<CssParameter name="fill">${fill}</CssParameter></Fill></PolygonSymbolizer></Rule></FeatureTypeStyle></UserStyle></NamedLayer></StyledLayerDescriptor>`;
}

const styleFile = (name: string, more = '', filename = `${name}.sld`) =>
  `<style><id>style-${name}</id><name>${name}</name>${more}<filename>${filename}</filename></style>`;

/** Path to contents. */
export const DIRECTORY: Readonly<Record<string, string>> = {
  'global.xml':
    '<global><settings><id>s</id><contact><contactPerson>A &amp; B</contactPerson></contact></settings></global>',
  'wms.xml':
    '<wms><id>wms</id><enabled>true</enabled><name>WMS</name><title>All maps</title><keywords><string>WMS</string></keywords><maxRequestMemory>65536</maxRequestMemory><maxRenderingTime>60</maxRenderingTime></wms>',
  'workspaces/default.xml': '<workspace><id>ws-cite</id><name>cite</name></workspace>',
  ...Object.assign({}, ...workspaces.map(workspaceFiles)),
  'workspaces/topp/wms.xml':
    '<wms><id>wms-topp</id><workspace><id>ws-topp</id></workspace><enabled>true</enabled><name>WMS</name><title>Maps &amp; &lt;more&gt;</title><dynamicStylingDisabled>true</dynamicStylingDisabled></wms>',
  'workspaces/cite/off_store/datastore.xml': storeFile('cite', 'off_store', false),
  ...layerFiles('cite', 'rivers'),
  ...layerFiles('cite', 'roads'),
  ...layerFiles('cite', 'towns'),
  ...layerFiles('cite', 'inside_opaque'),
  ...layerFiles('cite', 'hidden_in_nothing'),
  ...layerFiles('cite', 'off', 'off', { type: '<enabled>false</enabled>' }),
  ...layerFiles('cite', 'quiet', 'quiet', { type: '<advertised>false</advertised>' }),
  ...layerFiles('cite', 'in_off_store', 'in_off_store', { store: 'off_store' }),
  ...layerFiles('apart', 'secluded'),
  ...layerFiles('cite', 'lost', 'lost', { store: 'nowhere' }),
  ...layerFiles('topp', 'lakes', 'Lakes', {
    type: '<abstract>Still &lt;waters&gt;</abstract><keywords><string>water</string><string>deep &amp; cold</string></keywords><metadataLinks><metadataLink><type>text/xml</type><metadataType>TC211</metadataType><content>http://example.org/meta?id=1&amp;f=xml</content></metadataLink></metadataLinks>',
    layer:
      '<styles class="linked-hash-set"><style><id>style-own</id></style></styles><attribution><title>The surveyor</title><href>http://example.org</href><logoWidth>0</logoWidth><logoHeight>0</logoHeight></attribution><authorityURLs><AuthorityURL><name>ga</name><href>http://example.org/ga</href></AuthorityURL></authorityURLs><identifiers><Identifier><authority>ga</authority><identifier>77</identifier></Identifier></identifiers>',
  }),
  'layergroups/single.xml': groupFile('single', 'SINGLE', [
    ['layer', 'layer-cite-roads'],
    ['layer', 'layer-topp-lakes'],
  ]),
  'layergroups/tree.xml': groupFile('tree', 'NAMED', [
    ['layer', 'layer-cite-roads'],
    ['layerGroup', 'group-inner'],
    ['layer', 'layer-nowhere'],
  ]),
  'layergroups/inner.xml': groupFile('inner', 'NAMED', [
    ['layer', 'layer-cite-towns'],
    ['layerGroup', 'group-tree'],
  ]),
  'layergroups/heading.xml': groupFile('heading', 'CONTAINER', [['layer', 'layer-cite-rivers']]),
  'layergroups/opaque.xml': groupFile('opaque', 'OPAQUE_CONTAINER', [['layer', 'layer-cite-inside_opaque']]),
  'layergroups/silent.xml': groupFile(
    'silent',
    'SINGLE',
    [['layer', 'layer-cite-roads']],
    '<advertised>false</advertised>',
  ),
  'layergroups/of_styles.xml': groupFile(
    'of_styles',
    'SINGLE',
    [['style', 'style-many']],
    '<advertised>false</advertised>',
  ),
  'workspaces/topp/layergroups/topp_group.xml': groupFile(
    'topp_group',
    'SINGLE',
    [['layer', 'layer-topp-lakes']],
    '<workspace><id>ws-topp</id></workspace>',
  ),
  'styles/blue.xml': styleFile('blue'),
  'styles/blue.sld': sld('Blue &amp; deep'),
  'styles/red.xml': styleFile('red'),
  'styles/red.sld': sld('Red', '#ff0000'),
  'styles/bodiless.xml': styleFile('bodiless'),
  'styles/many.xml': styleFile('many'),
  'styles/many.sld': `<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld"><NamedLayer><Name>cite:roads</Name><UserStyle><Name>u1</Name><FeatureTypeStyle/></UserStyle></NamedLayer><NamedLayer><Name>topp:lakes</Name><NamedStyle><Name>red</Name></NamedStyle></NamedLayer><NamedLayer><Name>cite:towns</Name></NamedLayer></StyledLayerDescriptor>`,
  'styles/cascading.xml': styleFile('cascading', '<format>css</format>', 'cascading.css'),
  'styles/cascading.css': '* { fill: blue }',
  'styles/translated.xml': styleFile('translated', '<format>css</format>', 'translated.css'),
  'styles/translated.css': '* { fill: blue }',
  'styles/translated.sld': sld('Translated'),
  'styles/icon.xml': styleFile('icon'),
  'styles/icon.sld': sld(
    'Icon',
    '#000000',
    '<GraphicFill><Graphic><ExternalGraphic><OnlineResource xlink:href="img/a.png"/></ExternalGraphic></Graphic></GraphicFill>',
  ),
  'styles/img/a.png': 'picture one',
  'workspaces/topp/styles/own.xml': styleFile('own', '<workspace><id>ws-topp</id></workspace>'),
  'workspaces/topp/styles/own.sld': sld('', '#00ff00').replace('<Title></Title>', ''),
};
