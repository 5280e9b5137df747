/** The kinds of objects that clients make, change and delete, and how each is asked for by REST. */
import { writeZip } from '../../src/rest/zip.ts';
import { workspaceXml } from '../e2e/harness.ts';
import type { Asked } from './http.ts';
import { Knowledge, type Mark, markIn } from './ledger.ts';
import type { Random } from './random.ts';

/** A change to one object, before it is sent. */
export interface Plan {
  readonly what: string;
  readonly asked: Asked;
  /** What the object is when it is done. */
  readonly leaves: Mark;
  /** What a refusal says of the object. */
  readonly refusedWhen: 'present' | 'absent' | 'elsewhere';
}

export interface FaultObject {
  readonly name: string;
  readonly known: Knowledge;
  /** The next change, with a mark of its own; what is there decides which changes make sense. */
  plan(random: Random, mark: string): Plan;
  readonly read: Asked;
  /** The mark in a successful answer to `read`; a text when the answer is none that could be. */
  markOf(body: Buffer): { readonly mark: Mark } | string;
}

const SLD_TYPE = 'application/vnd.ogc.sld+xml';

/** A workspace that comes and goes under one name: its mark is in its name. */
export function workspace(mark: string): FaultObject {
  const name = `w-${mark}`;
  const known = new Knowledge();
  return {
    name,
    known,
    plan: () =>
      known.settled === undefined
        ? {
            what: 'creates a workspace',
            asked: { method: 'POST', path: '/workspaces', body: workspaceXml(name) },
            leaves: mark,
            refusedWhen: 'present',
          }
        : {
            what: 'deletes a workspace',
            asked: { method: 'DELETE', path: `/workspaces/${name}?recurse=true` },
            leaves: undefined,
            refusedWhen: 'absent',
          },
    read: { method: 'GET', path: `/workspaces/${name}.json` },
    markOf: (body) => ({ mark: markIn(body) }),
  };
}

/** A workspace with a style in it that is renamed again and again: its name is its mark. */
export function mover(client: string, first: string): FaultObject {
  const known = new Knowledge(first);
  return {
    name: `${movingName(client)}*`,
    known,
    plan: (_, mark) => ({
      what: 'renames a workspace',
      asked: {
        method: 'PUT',
        path: `/workspaces/${movingName(known.settled!)}`,
        body: workspaceXml(movingName(mark)),
      },
      leaves: mark,
      refusedWhen: 'elsewhere',
    }),
    read: { method: 'GET', path: '/workspaces.json' },
    markOf: (body) => {
      const list = (JSON.parse(body.toString()) as { workspaces: { workspace: { name: string }[] } | '' }).workspaces;
      const names = (list === '' ? [] : list.workspace).map(({ name }) => name);
      const mine = names.filter((name) => name.startsWith(movingName(`${client}x`)));
      return mine.length === 1 ? { mark: markIn(mine[0]!) } : `${mine.length} workspaces instead of one: ${mine}`;
    },
  };
}

export function movingName(mark: string): string {
  return `moving-${mark}`;
}

/** A style with a body; in a workspace, or global. */
export function style(name: string, inWorkspace: string | undefined): FaultObject {
  const known = new Knowledge();
  const folder = inWorkspace === undefined ? '/styles' : `/workspaces/${inWorkspace}/styles`;
  return {
    name,
    known,
    plan: (random, mark) => {
      const body = sld(mark);
      if (known.settled === undefined)
        return {
          what: 'creates a style',
          asked: { method: 'POST', path: `${folder}?name=${name}`, body, type: SLD_TYPE },
          leaves: mark,
          refusedWhen: 'present',
        };
      if (random.chance(0.3))
        return {
          what: 'deletes a style',
          asked: { method: 'DELETE', path: `${folder}/${name}?purge=true` },
          leaves: undefined,
          refusedWhen: 'absent',
        };
      return {
        what: 'changes a style',
        asked: { method: 'PUT', path: `${folder}/${name}`, body, type: SLD_TYPE },
        leaves: mark,
        refusedWhen: 'absent',
      };
    },
    read: { method: 'GET', path: `${folder}/${name}.sld` },
    markOf: (body) => ({ mark: markIn(body) }),
  };
}

export function sld(mark: string): string {
  return (
    '<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld"><NamedLayer>' +
    `<Name>${mark}</Name><UserStyle><Title>${mark}</Title><FeatureTypeStyle><Rule><PointSymbolizer/></Rule>` +
    '</FeatureTypeStyle></UserStyle></NamedLayer></StyledLayerDescriptor>'
  );
}

/** A data store over a file that is not there, which nobody opens. */
export function dataStore(name: string, inWorkspace: string): FaultObject {
  const known = new Knowledge();
  const folder = `/workspaces/${inWorkspace}/datastores`;
  return {
    name,
    known,
    plan: (random, mark) => {
      if (known.settled === undefined)
        return {
          what: 'creates a data store',
          asked: { method: 'POST', path: folder, body: storeXml(name, mark) },
          leaves: mark,
          refusedWhen: 'present',
        };
      if (random.chance(0.3))
        return {
          what: 'deletes a data store',
          asked: { method: 'DELETE', path: `${folder}/${name}?recurse=true` },
          leaves: undefined,
          refusedWhen: 'absent',
        };
      return {
        what: 'changes a data store',
        asked: { method: 'PUT', path: `${folder}/${name}`, body: storeXml(name, mark) },
        leaves: mark,
        refusedWhen: 'absent',
      };
    },
    read: { method: 'GET', path: `${folder}/${name}.json` },
    markOf: (body) => ({ mark: markIn(body) }),
  };
}

export function storeXml(name: string, description: string): string {
  return (
    `<dataStore><name>${name}</name><description>${description}</description><type>Shapefile</type>` +
    '<connectionParameters><entry key="url">file:data/none.shp</entry></connectionParameters></dataStore>'
  );
}

/** A file; now and then one that is too long for a record, and travels as a blob. */
export function resource(path: string): FaultObject {
  const known = new Knowledge();
  return {
    name: path,
    known,
    plan: (random, mark) =>
      known.settled !== undefined && random.chance(0.3)
        ? {
            what: 'deletes a file',
            asked: { method: 'DELETE', path: `/resource/${path}` },
            leaves: undefined,
            refusedWhen: 'absent',
          }
        : {
            what: 'writes a file',
            asked: { method: 'PUT', path: `/resource/${path}`, body: fileContent(mark), type: 'text/plain' },
            leaves: mark,
            refusedWhen: 'present',
          },
    read: { method: 'GET', path: `/resource/${path}` },
    markOf: (body) => {
      const mark = markIn(body);
      if (mark === undefined || body.toString() !== fileContent(mark)) return `other bytes than were sent, of ${mark}`;
      return { mark };
    },
  };
}

/** The content that belongs to a mark: some hundred bytes, one time in twenty more than 64 KiB. */
export function fileContent(mark: string): string {
  let sum = 0;
  for (const letter of mark) sum = (Math.imul(sum, 31) + letter.codePointAt(0)!) >>> 0;
  const lines = sum % 20 === 0 ? 4000 + (sum % 1000) : 5 + (sum % 40);
  return `${mark}\n${`${mark} ${sum.toString(36)}\n`.repeat(lines)}`;
}

/** A shapefile of one point, uploaded again and again. */
export function upload(name: string, inWorkspace: string): FaultObject {
  return {
    name,
    known: new Knowledge(),
    plan: (_, mark) => ({
      what: 'uploads a shapefile',
      asked: {
        method: 'PUT',
        path: `/workspaces/${inWorkspace}/datastores/${name}/file.shp`,
        body: shapefileZip(name, mark),
        type: 'application/zip',
      },
      leaves: mark,
      refusedWhen: 'present',
    }),
    read: { method: 'GET', path: `/resource/data/${inWorkspace}/${name}/${name}.dbf` },
    markOf: (body) => ({ mark: markIn(body) }),
  };
}

/** @see ESRI Shapefile Technical Description, July 1998; dBASE III */
function shapefileZip(name: string, mark: string): Buffer {
  const header = (bytes: number) => {
    const head = Buffer.alloc(100);
    head.writeInt32BE(9994, 0);
    head.writeInt32BE(bytes / 2, 24);
    head.writeInt32LE(1000, 28);
    head.writeInt32LE(1, 32); // points
    for (const [i, value] of [7, 47, 7, 47].entries()) head.writeDoubleLE(value, 36 + 8 * i);
    return head;
  };
  const point = Buffer.alloc(28);
  point.writeInt32BE(1, 0);
  point.writeInt32BE(10, 4);
  point.writeInt32LE(1, 8);
  point.writeDoubleLE(7, 12);
  point.writeDoubleLE(47, 20);
  const place = Buffer.alloc(8);
  place.writeInt32BE(50, 0);
  place.writeInt32BE(10, 4);
  const WIDTH = 24;
  const dbf = Buffer.alloc(32 + 32 + 1 + 1 + WIDTH + 1, 0x20);
  dbf.fill(0, 0, 64);
  dbf[0] = 3;
  dbf[1] = 126;
  dbf[2] = 1;
  dbf[3] = 1;
  dbf.writeUInt32LE(1, 4);
  dbf.writeUInt16LE(65, 8);
  dbf.writeUInt16LE(1 + WIDTH, 10);
  dbf.write('MARK', 32, 'latin1');
  dbf.write('C', 43, 'latin1');
  dbf[48] = WIDTH;
  dbf[64] = 0x0d;
  dbf.write(mark, 66, 'latin1');
  dbf[dbf.length - 1] = 0x1a;
  return writeZip([
    { path: `${name}.shp`, bytes: Buffer.concat([header(128), point]) },
    { path: `${name}.shx`, bytes: Buffer.concat([header(108), place]) },
    { path: `${name}.dbf`, bytes: dbf },
    { path: `${name}.prj`, bytes: Buffer.from(WGS84) },
  ]);
}

const WGS84 =
  'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]';

/** A number that is read, raised by one and written; it is in the description of a store. */
export function counter(
  name: string,
  inWorkspace: string,
  first: string,
): FaultObject & { next(read: Buffer): number } {
  const known = new Knowledge(first);
  let value = 0;
  return {
    name,
    known,
    plan: (_, mark) => ({
      what: 'raises a counter',
      asked: {
        method: 'PUT',
        path: `/workspaces/${inWorkspace}/datastores/${name}`,
        body: storeXml(name, counterText(mark, value)),
      },
      leaves: mark,
      refusedWhen: 'absent',
    }),
    read: { method: 'GET', path: `/workspaces/${inWorkspace}/datastores/${name}.json` },
    markOf: (body) => ({ mark: markIn(body) }),
    next: (read) => {
      value = countIn(read)! + 1;
      return value;
    },
  };
}

export function counterText(mark: string, value: number): string {
  return `${mark} count=${value}`;
}

export function countIn(body: Buffer): number | undefined {
  const found = /count=(\d+)/.exec(body.toString());
  return found === null ? undefined : Number(found[1]);
}
