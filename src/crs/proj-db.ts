/**
 * What PROJ's data set knows and a PROJ string does not say: the authority's axis order, other names, and which shift to use
 * for a datum whose grid is not at hand. It is the copy that Mapnik's package brings along, so drawing agrees with it.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Box } from './transform.ts';

/** Where axis orders come from: PROJ's data set, or, where that is missing, the WKT of each CRS. */
export type AxisSource = 'proj.db' | 'wkt';

const AXIS = `
  SELECT c.auth_name AS authority, a.name, a.orientation FROM (
    SELECT auth_name, code, coordinate_system_auth_name AS cs_auth, coordinate_system_code AS cs FROM projected_crs
    UNION ALL
    SELECT auth_name, code, coordinate_system_auth_name, coordinate_system_code FROM geodetic_crs
    UNION ALL
    SELECT k.auth_name, k.code, coalesce(p.coordinate_system_auth_name, g.coordinate_system_auth_name),
           coalesce(p.coordinate_system_code, g.coordinate_system_code)
    FROM compound_crs k
    LEFT JOIN projected_crs p ON p.auth_name = k.horiz_crs_auth_name AND p.code = k.horiz_crs_code
    LEFT JOIN geodetic_crs g ON g.auth_name = k.horiz_crs_auth_name AND g.code = k.horiz_crs_code
  ) c
  LEFT JOIN axis a ON a.coordinate_system_auth_name = c.cs_auth AND a.coordinate_system_code = c.cs
    AND a.coordinate_system_order = 1
  WHERE c.code = ? AND c.auth_name IN ('EPSG', 'ESRI')
  ORDER BY c.auth_name`;

const NAMES = `
  SELECT name, code, 'crs' AS what, deprecated FROM projected_crs WHERE auth_name = 'EPSG'
  UNION ALL SELECT name, code, 'crs', deprecated FROM geodetic_crs WHERE auth_name = 'EPSG' AND type = 'geographic 2D'
  UNION ALL SELECT n.alt_name, n.code, 'crs', 0 FROM alias_name n
    JOIN geodetic_crs g ON g.auth_name = 'EPSG' AND g.code = n.code AND g.type = 'geographic 2D'
    WHERE n.auth_name = 'EPSG' AND n.table_name = 'geodetic_crs' AND n.source IN ('ESRI', 'PROJ')
  UNION ALL SELECT alt_name, code, 'crs', 0 FROM alias_name
    WHERE auth_name = 'EPSG' AND table_name = 'projected_crs' AND source = 'ESRI'
  UNION ALL SELECT d.name, g.code, 'datum', g.deprecated FROM geodetic_datum d
    JOIN geodetic_crs g ON g.datum_auth_name = d.auth_name AND g.datum_code = d.code AND g.type = 'geographic 2D'
    WHERE g.auth_name = 'EPSG'
  UNION ALL SELECT n.alt_name, g.code, 'datum', g.deprecated FROM alias_name n
    JOIN geodetic_crs g ON g.datum_auth_name = n.auth_name AND g.datum_code = n.code AND g.type = 'geographic 2D'
    WHERE n.table_name = 'geodetic_datum' AND g.auth_name = 'EPSG'`;

/** 9104 is the arc-second, 9109 the microradian, 9202 parts per million; 9603, 9606, 9607 are translation, position vector, coordinate frame. */
const SHIFTS = `
  SELECT h.method_code AS method, h.tx, h.ty, h.tz, h.rx, h.ry, h.rz, h.scale_difference AS scale, h.accuracy,
         h.rotation_uom_code AS angle,
         e.west_lon AS west, e.south_lat AS south, e.east_lon AS east, e.north_lat AS north
  FROM helmert_transformation h
  JOIN usage u ON u.object_table_name = 'helmert_transformation' AND u.object_auth_name = h.auth_name AND u.object_code = h.code
  JOIN extent e ON e.auth_name = u.extent_auth_name AND e.code = u.extent_code
  WHERE h.source_crs_auth_name = 'EPSG' AND h.target_crs_auth_name = 'EPSG' AND h.target_crs_code IN (4326, 4258, 4269)
    AND h.source_crs_code = coalesce((SELECT geodetic_crs_code FROM projected_crs WHERE auth_name = 'EPSG' AND code = $code), $code)
    AND h.method_auth_name = 'EPSG' AND h.method_code IN (9603, 9606, 9607) AND h.deprecated = 0
    AND h.translation_uom_code = 9001 AND coalesce(h.rotation_uom_code, 9104) IN (9104, 9109)
    AND coalesce(h.scale_difference_uom_code, 9202) = 9202`;

interface Statements {
  readonly axis: StatementSync;
  readonly names: StatementSync;
  readonly shifts: StatementSync;
}

let opened: { readonly statements: Statements | undefined } | undefined;

/** Opens the data set when it is first needed. */
function dataSet(): Statements | undefined {
  opened ??= { statements: open() };
  return opened.statements;
}

function open(): Statements | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve('@mapnik/mapnik/package.json');
    const database = new DatabaseSync(path.join(path.dirname(manifest), 'share/proj/proj.db'), { readOnly: true });
    return { axis: database.prepare(AXIS), names: database.prepare(NAMES), shifts: database.prepare(SHIFTS) };
  } catch {
    return undefined;
  }
}

/** Where this process has its axis orders from; worth a line in the log at start. */
export function axisSource(): AxisSource {
  return dataSet() === undefined ? 'wkt' : 'proj.db';
}

export interface FirstAxis {
  /** Whether the first axis is latitude, northing or southing. */
  readonly northFirst: boolean;
  readonly authority: 'EPSG' | 'ESRI';
}

/**
 * Whose code a CRS has and what its first axis is; undefined where the data set lacks the code or is missing. ESRI's CRS have
 * their axes east, north.
 *
 * The name decides before the direction does: near a pole northings and eastings both point along meridians, so both axes
 * of EPSG:32661 point south.
 */
export function firstAxis(code: number): FirstAxis | undefined {
  const row = dataSet()?.axis.get(code);
  if (row === undefined) return undefined;
  const name = String(row.name);
  const north = /northing|southing|latitude/i.test(name);
  const east = /easting|westing|longitude/i.test(name);
  return {
    northFirst: north === east ? /^(north|south)/i.test(String(row.orientation)) : north,
    authority: row.authority === 'ESRI' ? 'ESRI' : 'EPSG',
  };
}

export interface KnownName {
  readonly name: string;
  readonly code: number;
  /** Whose name it is: the CRS's, or that of the datum of a geographic CRS. */
  readonly what: 'crs' | 'datum';
  readonly deprecated: boolean;
}

/** Every name and other name of an EPSG CRS, and of the datums of geographic ones; empty without the data set. */
export function knownNames(): KnownName[] {
  const rows = dataSet()?.names.all() ?? [];
  return rows.map((row) => ({
    name: String(row.name),
    code: Number(row.code),
    what: row.what === 'datum' ? 'datum' : 'crs',
    deprecated: row.deprecated === 1,
  }));
}

/**
 * The `+towgs84` of PROJ for a CRS whose own shift needs a grid: the transformation that covers most of the area of use, and of
 * those the most accurate one. A few metres off at worst, as Mapnik is without the grid. Undefined when there is none.
 */
export function helmertShift(code: number, area: Box): string | undefined {
  const rows = dataSet()?.shifts.all({ code }) ?? [];
  const overlap = (row: (typeof rows)[number]) =>
    Math.max(0, Math.min(area[2], Number(row.east)) - Math.max(area[0], Number(row.west))) *
    Math.max(0, Math.min(area[3], Number(row.north)) - Math.max(area[1], Number(row.south)));
  const accuracy = (row: (typeof rows)[number]) => (row.accuracy === null ? 999 : Number(row.accuracy));
  const [best] = rows.sort((a, b) => overlap(b) - overlap(a) || accuracy(a) - accuracy(b));
  if (best === undefined) return undefined;
  // PROJ reads +towgs84 as position vector; the coordinate frame convention turns the other way.
  const sign = best.method === 9607 ? -1 : 1;
  const seconds = best.angle === 9109 ? 0.648 / Math.PI : 1;
  const rotations = [best.rx, best.ry, best.rz].map((angle) => sign * seconds * Number(angle ?? 0));
  return [best.tx, best.ty, best.tz, ...rotations, best.scale ?? 0].join(',');
}
