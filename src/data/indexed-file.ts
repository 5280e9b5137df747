import { open } from 'node:fs/promises';
import { clipCount, countOf, isUnrestricted, sift } from './batches.ts';
import { mapnikSrs } from './crs.ts';
import { requireFile } from './files.ts';
import { lazily } from './lazily.ts';
import { withFilterBox } from './narrow.ts';
import { type RecordIndex, readAt, recordsIn, spansOf } from './records.ts';
import {
  type Box,
  DataError,
  type Feature,
  type FeatureQuery,
  type FeatureSchema,
  type FeatureSource,
  type MapnikSource,
  type VectorStore,
} from './types.ts';

/** One type of features in one text file, with the places of its features. */
export interface IndexedType {
  readonly schema: FeatureSchema;
  readonly index: RecordIndex;
  /** @param record  from 0 */
  decode(bytes: Buffer, record: number): Feature;
}

export interface IndexedFileDriver {
  /** For messages. */
  readonly location: string;
  /** Names and files, in the order of names. Asked on every use. */
  types(): ReadonlyMap<string, string>;
  /** Goes through a file once. */
  read(file: string, name: string): Promise<IndexedType>;
  /** @param native  CRS in Mapnik's form */
  mapnik(
    file: string,
    version: string,
    schema: FeatureSchema,
    native: string,
    source: FeatureSource,
  ): Promise<MapnikSource>;
}

/** A store over text files that are read once to find out where the features are, and again when a file was replaced. */
export function openIndexedFile(driver: IndexedFileDriver): VectorStore {
  const opened = new Map<string, { version: string; source: Promise<FeatureSource> }>();
  return {
    async names() {
      return [...driver.types().keys()];
    },
    async source(nativeName, virtualTable) {
      if (virtualTable !== undefined)
        throw new DataError('refused', `a SQL view needs a database: ${driver.location} is none`);
      const file = driver.types().get(nativeName);
      if (file === undefined) throw new DataError('not-found', `there is no type ${nativeName} in ${driver.location}`);
      const { version } = requireFile(file);
      const known = opened.get(nativeName);
      if (known?.version === version) return known.source;
      const source = driver.read(file, nativeName).then((type) => new IndexedFile(driver, type, { file, version }));
      opened.set(nativeName, { version, source });
      source.catch(() => opened.delete(nativeName));
      return source;
    },
    async close() {
      opened.clear();
    },
  };
}

class IndexedFile implements FeatureSource {
  readonly schema: FeatureSchema;
  readonly mapnik: () => Promise<MapnikSource>;
  readonly #type: IndexedType;
  readonly #place: { readonly file: string; readonly version: string };

  constructor(driver: IndexedFileDriver, type: IndexedType, place: { file: string; version: string }) {
    this.schema = type.schema;
    this.#type = type;
    this.#place = place;
    this.mapnik = lazily(() => driver.mapnik(place.file, place.version, this.schema, mapnikSrs(this.schema), this));
  }

  async bounds(): Promise<Box | undefined> {
    return this.#type.index.bounds;
  }

  async count(query: FeatureQuery = {}): Promise<number> {
    return isUnrestricted(query) ? clipCount(this.#type.index.count, query) : countOf(this.features(query));
  }

  features(query: FeatureQuery = {}, signal?: AbortSignal): AsyncIterable<readonly Feature[]> {
    const { filter, limit, offset } = query; // the box is answered exactly by the index
    const narrowed = withFilterBox(query, this.schema);
    return sift(this.#read(narrowed.box), this.schema, { filter, limit, offset }, signal);
  }

  async *#read(box: Box | undefined): AsyncGenerator<readonly Feature[]> {
    const { index, decode } = this.#type;
    const handle = await open(this.#place.file);
    try {
      for (const span of spansOf(index, recordsIn(index, box))) {
        const bytes = await readAt(handle, span.offset, span.bytes);
        yield span.records.map((record) => {
          const at = index.offsets[record]! - span.offset;
          return decode(bytes.subarray(at, at + index.lengths[record]!), record);
        });
      }
    } finally {
      await handle.close();
    }
  }
}
