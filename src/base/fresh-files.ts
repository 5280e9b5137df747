import { readFileSync, statSync } from 'node:fs';

/**
 * What is made from the contents of files, made again when one of them has changed: for secrets and certificates, which are
 * replaced while the process runs. When the new contents are of no use (somebody is still writing them, or made a mistake),
 * the former value stays in use and `onTrouble` hears why, once for each state of the files.
 */
export class FreshFiles<Value> {
  readonly #files: readonly string[];
  readonly #make: (contents: readonly string[]) => Value;
  readonly #onChange: ((value: Value) => void) | undefined;
  readonly #onTrouble: ((error: unknown) => void) | undefined;
  #value: Value;
  #seen: string;

  /**
   * @param make  must not keep what it is given; it throws when the contents are of no use
   * @throws  what reading the files or `make` throws at the first time
   */
  constructor(
    files: readonly string[],
    make: (contents: readonly string[]) => Value,
    options: { readonly onChange?: (value: Value) => void; readonly onTrouble?: (error: unknown) => void } = {},
  ) {
    this.#files = files;
    this.#make = make;
    this.#onChange = options.onChange;
    this.#onTrouble = options.onTrouble;
    this.#seen = stampOf(files);
    this.#value = this.#read();
  }

  /** Looks whether the files have changed. */
  get value(): Value {
    const stamp = stampOf(this.#files);
    if (stamp === this.#seen) return this.#value;
    this.#seen = stamp;
    try {
      this.#value = this.#read();
      this.#onChange?.(this.#value);
    } catch (error) {
      this.#onTrouble?.(error);
    }
    return this.#value;
  }

  #read(): Value {
    return this.#make(this.#files.map((file) => readFileSync(file, 'utf8')));
  }
}

/** Differs when a file was replaced or written; links are followed, as mounted secrets are exchanged by them. */
function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      try {
        const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
        return [ino, size, mtimeNs, ctimeNs].join();
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    })
    .join(';');
}
