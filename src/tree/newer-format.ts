/** A record or snapshot was written by a newer version: this one cannot read it, and must not guess. */
export class NewerFormatError extends Error {
  /** @param needs  what this version does not know: `format 2` */
  constructor(what: 'record' | 'snapshot', needs: string) {
    super(`a ${what} was written by a newer version (${needs}), which this one cannot read: update this node`);
    this.name = 'NewerFormatError';
  }
}
