/** What an operation takes from outside, so that it gives the same result wherever it runs. */
export interface Env {
  /** Wall time in milliseconds since 1970: goes into `dateCreated` and `dateModified`. */
  readonly now: number;
  /** Uniform in [0, 1): makes ids. */
  readonly random: () => number;
  /** Name of the user who asked. */
  readonly user: string;
}
