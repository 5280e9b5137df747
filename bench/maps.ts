/**
 * How many maps a second, and how late is the slowest hundredth, for many small polygons and for a few large ones? The
 * peer is MapServer as FastCGI (two processes behind nginx) with the same shapefiles, classes, sizes and boxes, in the
 * same run; rounds take turns. Not asked here: other formats, labels, tiles.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import { basic } from '../test/basic.ts';
import { freePort } from '../test/free-ports.ts';
import { type Program, start, startNode, temporaryFolder, until } from './processes.ts';
import { median, ms, quantile, rate, ratio, seeded, table } from './statistics.ts';

export interface MapsSize {
  /** Small polygons in the data set. */
  readonly parcels: number;
  /** Pictures of each case in each round. */
  readonly requests: number;
  readonly rounds: number;
}

/** Five classes of the attribute `cls`, used for both servers. */
const CLASSES = ['#8dd3c7', '#ffffb3', '#bebada', '#fb8072', '#80b1d3'] as const;
const OUTLINE = { color: '#404040', widthPx: 0.5 } as const;
const CLIENTS = 4;

type Box = readonly [number, number, number, number];
type Layer = 'parcels' | 'countries';

interface Case {
  readonly name: string;
  readonly layer: Layer;
  readonly sizePx: number;
  readonly boxes: readonly Box[];
}

/** Side of one parcel in degrees. */
const PARCEL = 0.001;

function parcelsGeoJson(file: string, count: number): number {
  const random = seeded(7);
  const columns = Math.ceil(Math.sqrt(count));
  const lines: string[] = [];
  for (let i = 0; i < count; i++) {
    const x = (i % columns) * PARCEL;
    const y = Math.floor(i / columns) * PARCEL;
    const vertices = 9 + Math.floor(random() * 8);
    const ring = Array.from({ length: vertices }, (_, k) => {
      const angle = (k / vertices) * 2 * Math.PI;
      const radius = PARCEL * (0.35 + 0.14 * random());
      return [x + PARCEL / 2 + radius * Math.cos(angle), y + PARCEL / 2 + radius * Math.sin(angle)];
    });
    ring.push(ring[0]!);
    lines.push(
      JSON.stringify({
        type: 'Feature',
        properties: {
          cls: Math.floor(random() * CLASSES.length),
          owner: `owner ${i}`,
          area: Math.round(random() * 1e5),
        },
        geometry: { type: 'Polygon', coordinates: [ring] },
      }),
    );
  }
  writeFileSync(file, lines.join('\n'));
  return columns * PARCEL;
}

function countriesGeoJson(file: string): void {
  const atlas = createRequire(import.meta.url)('world-atlas/countries-10m.json') as Topology;
  const { features } = feature(atlas, atlas.objects.countries as GeometryCollection<{ name: string }>);
  const lines = features.map((f, i) =>
    JSON.stringify({ ...f, id: undefined, properties: { cls: i % CLASSES.length, name: f.properties.name } }),
  );
  writeFileSync(file, lines.join('\n'));
}

function boxes(count: number, seed: number, area: Box, width: number): Box[] {
  const random = seeded(seed);
  return Array.from({ length: count }, () => {
    const x = area[0] + random() * Math.max(area[2] - area[0] - width, 0);
    const y = area[1] + random() * Math.max(area[3] - area[1] - width, 0);
    return [x, y, x + width, y + width] as const;
  });
}

function sld(layer: Layer): string {
  const rules = CLASSES.map(
    (color, i) => `<Rule>
        <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>cls</ogc:PropertyName><ogc:Literal>${i}</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>
        <PolygonSymbolizer>
          <Fill><CssParameter name="fill">${color}</CssParameter></Fill>
          <Stroke><CssParameter name="stroke">${OUTLINE.color}</CssParameter><CssParameter name="stroke-width">${OUTLINE.widthPx}</CssParameter></Stroke>
        </PolygonSymbolizer>
      </Rule>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc" xmlns:xlink="http://www.w3.org/1999/xlink">
  <NamedLayer><Name>${layer}</Name><UserStyle><FeatureTypeStyle>${rules.join('\n')}</FeatureTypeStyle></UserStyle></NamedLayer>
</StyledLayerDescriptor>`;
}

async function startGraticule(folder: string): Promise<{ program: Program; wms: string }> {
  mkdirSync(path.join(folder, 'node'));
  const node = await startNode({ folder, name: 'node', secret: 'a secret for this benchmark only' });
  const post = async (method: string, resource: string, type: string, body: string) => {
    const response = await fetch(`${node.url}/rest${resource}`, {
      method,
      headers: {
        authorization: basic('admin', 'geoserver'),
        'content-type': type,
      },
      body,
    });
    if (!response.ok) throw new Error(`${method} ${resource}: ${response.status} ${await response.text()}`);
  };
  await post('POST', '/workspaces', 'text/xml', '<workspace><name>bench</name></workspace>');
  for (const layer of ['parcels', 'countries'] as const) {
    const url = `file://${folder}/${layer}.shp`;
    await post(
      'POST',
      '/workspaces/bench/datastores',
      'text/xml',
      `<dataStore><name>${layer}</name><connectionParameters><entry key="url">${url}</entry></connectionParameters></dataStore>`,
    );
    await post(
      'POST',
      `/workspaces/bench/datastores/${layer}/featuretypes`,
      'text/xml',
      `<featureType><name>${layer}</name><srs>EPSG:4326</srs></featureType>`,
    );
    await post('POST', `/workspaces/bench/styles?name=${layer}`, 'application/vnd.ogc.sld+xml', sld(layer));
    await post(
      'PUT',
      `/layers/bench:${layer}`,
      'text/xml',
      `<layer><defaultStyle><name>bench:${layer}</name></defaultStyle></layer>`,
    );
  }
  return { program: node, wms: `${node.url}/bench/wms` };
}

async function startMapServer(folder: string): Promise<{ programs: Program[]; wms: string }> {
  const layers = (['parcels', 'countries'] as const).map(
    (layer) => `  LAYER
    NAME "${layer}"
    TYPE POLYGON
    DATA "${folder}/${layer}.shp"
    STATUS ON
    PROJECTION "init=epsg:4326" END
    METADATA "ows_title" "${layer}" END
    CLASSITEM "cls"
${CLASSES.map((color, i) => `    CLASS EXPRESSION "${i}" STYLE COLOR "${color}" OUTLINECOLOR "${OUTLINE.color}" WIDTH ${OUTLINE.widthPx} END END`).join('\n')}
  END`,
  );
  writeFileSync(
    path.join(folder, 'bench.map'),
    `MAP
  NAME "bench"
  SIZE 256 256
  MAXSIZE 4096
  EXTENT -180 -90 180 90
  PROJECTION "init=epsg:4326" END
  OUTPUTFORMAT NAME "png8" DRIVER "AGG/PNG" MIMETYPE "image/png; mode=8bit" IMAGEMODE RGB EXTENSION "png" FORMATOPTION "QUANTIZE_FORCE=on" FORMATOPTION "QUANTIZE_COLORS=256" END
  WEB METADATA
    "ows_enable_request" "*"
    "ows_title" "bench"
    "ows_srs" "EPSG:4326"
    "ows_onlineresource" "http://127.0.0.1/"
    "wms_getmap_formatlist" "image/png,image/png; mode=8bit"
  END END
${layers.join('\n')}
END
`,
  );
  const config = path.join(folder, 'mapserver.conf');
  writeFileSync(
    config,
    `CONFIG
  ENV
    MS_MAP_PATTERN "^${folder}/"
    MS_MAPFILE "${folder}/bench.map"
  END
  MAPS
    BENCH "${folder}/bench.map"
  END
END
`,
  );
  chmodSync(folder, 0o755);
  const programs: Program[] = [];
  const sockets = [0, 1].map((i) => path.join(folder, `ms${i}.sock`));
  for (const socket of sockets)
    programs.push(
      start('spawn-fcgi', ['-n', '-s', socket, '-M', '0666', '-F', '1', '--', '/usr/bin/mapserv'], {
        logFile: path.join(folder, 'mapserver.log'),
        env: { MAPSERVER_CONFIG_FILE: config },
        stopSignal: 'SIGKILL',
      }),
    );
  const port = await freePort();
  const conf = path.join(folder, 'nginx.conf');
  const parameters = [
    'REQUEST_METHOD',
    'QUERY_STRING',
    'CONTENT_LENGTH',
    'SERVER_NAME',
    'SERVER_PORT',
    'SERVER_PROTOCOL',
    'SCRIPT_NAME',
    'REQUEST_URI',
  ];
  const variable = (name: string) => (name === 'SCRIPT_NAME' ? '$fastcgi_script_name' : `$${name.toLowerCase()}`);
  writeFileSync(
    conf,
    `daemon off; pid ${folder}/nginx.pid; error_log ${folder}/nginx-error.log; worker_processes 1;
events { worker_connections 256; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((t) => `${t}_temp_path ${folder}/nginx-${t};`).join(' ')}
  upstream mapserver { ${sockets.map((s) => `server unix:${s};`).join(' ')} }
  server {
    listen 127.0.0.1:${port};
    location / {
      fastcgi_pass mapserver;
      ${parameters.map((p) => `fastcgi_param ${p} ${variable(p)};`).join(' ')}
      fastcgi_param MS_MAPFILE ${folder}/bench.map;
    }
  }
}
`,
  );
  const nginx = start('nginx', ['-c', conf, '-p', folder, '-e', path.join(folder, 'nginx-error.log')], {
    logFile: path.join(folder, 'nginx.log'),
    stopSignal: 'SIGQUIT',
  });
  programs.unshift(nginx);
  const wms = `http://127.0.0.1:${port}/`;
  const probe = `${wms}?service=WMS&version=1.1.1&request=GetCapabilities`;
  await until(async () => (await fetch(probe)).ok, nginx, 'MapServer');
  return { programs, wms };
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

function getMap(wms: string, c: Case, box: Box): Promise<Buffer> {
  const url = `${wms}?service=WMS&version=1.1.1&request=GetMap&layers=${c.layer}&styles=&srs=EPSG:4326&bbox=${box.join(',')}&width=${c.sizePx}&height=${c.sizePx}&format=${encodeURIComponent('image/png; mode=8bit')}&bgcolor=0xFFFFFF`;
  return new Promise((resolve, reject) => {
    httpRequest(url, { agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(chunks);
        if (response.statusCode !== 200 || !String(response.headers['content-type']).startsWith('image/png'))
          reject(new Error(`${url}: ${response.statusCode} ${body.toString('utf8', 0, 500)}`));
        else resolve(body);
      });
    })
      .on('error', reject)
      .end();
  });
}

interface Round {
  readonly perSecond: number;
  readonly p99: number;
  readonly bytes: number;
}

async function round(wms: string, c: Case, requests: number): Promise<Round> {
  const times: number[] = [];
  let bytes = 0;
  let next = 0;
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (next < requests) {
        const box = c.boxes[next++ % c.boxes.length]!;
        const sent = performance.now();
        bytes += (await getMap(wms, c, box)).length;
        times.push(performance.now() - sent);
      }
    }),
  );
  return {
    perSecond: (requests / (performance.now() - begin)) * 1000,
    p99: quantile(times, 0.99),
    bytes: bytes / requests,
  };
}

export async function maps(size: MapsSize): Promise<void> {
  const temporary = temporaryFolder();
  const folder = temporary.path;
  const programs: Program[] = [];
  try {
    console.log(
      `\nMaps: GetMap, shapefiles, five classes with outlines, 8-bit PNG, ${CLIENTS} clients; MapServer as two FastCGI processes\n`,
    );
    const side = parcelsGeoJson(path.join(folder, 'parcels.geojsonl'), size.parcels);
    countriesGeoJson(path.join(folder, 'countries.geojsonl'));
    for (const layer of ['parcels', 'countries'])
      execFileSync('ogr2ogr', [
        '-q',
        '-f',
        'ESRI Shapefile',
        '-a_srs',
        'EPSG:4326',
        '-lco',
        'SPATIAL_INDEX=YES',
        '-lco',
        'ENCODING=UTF-8',
        path.join(folder, `${layer}.shp`),
        `GeoJSONSeq:${path.join(folder, `${layer}.geojsonl`)}`,
      ]);
    const parcels: Box = [0, 0, side, side];
    const world: Box = [-170, -55, 170, 75];
    const cases: readonly Case[] = [
      { name: 'parcels, 50 a map, 256 px', layer: 'parcels', sizePx: 256, boxes: boxes(200, 1, parcels, PARCEL * 7) },
      { name: 'parcels, 800 a map, 256 px', layer: 'parcels', sizePx: 256, boxes: boxes(200, 2, parcels, PARCEL * 28) },
      { name: 'countries, 10 degrees, 256 px', layer: 'countries', sizePx: 256, boxes: boxes(200, 3, world, 10) },
      { name: 'countries, 60 degrees, 256 px', layer: 'countries', sizePx: 256, boxes: boxes(200, 4, world, 60) },
      { name: 'countries, 60 degrees, 512 px', layer: 'countries', sizePx: 512, boxes: boxes(200, 5, world, 60) },
    ];
    const ours = await startGraticule(folder);
    programs.push(ours.program);
    const theirs = await startMapServer(folder);
    programs.push(...theirs.programs);
    const rows: string[][] = [];
    for (const c of cases) {
      const results = { ours: [] as Round[], theirs: [] as Round[] };
      await round(ours.wms, c, Math.min(size.requests, 100));
      await round(theirs.wms, c, Math.min(size.requests, 100));
      for (let i = 0; i < size.rounds; i++) {
        results.theirs.push(await round(theirs.wms, c, size.requests));
        results.ours.push(await round(ours.wms, c, size.requests));
      }
      const pick = (rounds: readonly Round[], key: keyof Round) => median(rounds.map((r) => r[key]));
      const [a, b] = [results.ours, results.theirs];
      rows.push([
        c.name,
        rate(pick(a, 'perSecond')),
        rate(pick(b, 'perSecond')),
        ratio(pick(a, 'perSecond'), pick(b, 'perSecond')),
        ms(pick(a, 'p99')),
        ms(pick(b, 'p99')),
        `${(pick(a, 'bytes') / 1024).toFixed(1)} KB`,
        `${(pick(b, 'bytes') / 1024).toFixed(1)} KB`,
      ]);
      if (process.env.BENCH_PICTURES)
        for (const [name, wms] of [
          ['graticule', ours.wms],
          ['mapserver', theirs.wms],
        ] as const)
          writeFileSync(
            path.join(process.env.BENCH_PICTURES, `${c.name.replace(/\W+/g, '-')}-${name}.png`),
            await getMap(wms, c, c.boxes[0]!),
          );
    }
    table(['GetMap', 'Graticule', 'MapServer', 'ratio', 'p99', 'p99 MapServer', 'size', 'size MapServer'], rows);
  } catch (error) {
    for (const program of programs) console.error(readFileSync(program.logFile, 'utf8').slice(-1500));
    throw error;
  } finally {
    for (const program of programs) await program.stop();
    temporary.remove();
  }
}
