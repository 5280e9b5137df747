/** Wakes all who wait. A wait that begins after a wake sleeps until the next one. */
export class Wakeup {
  #sleepers = new Set<() => void>();

  wake(): void {
    const sleepers = this.#sleepers;
    this.#sleepers = new Set();
    for (const awaken of sleepers) awaken();
  }

  /** Resolves at the next wake, or when the signal is aborted. */
  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleepers = this.#sleepers;
      const awaken = () => {
        signal?.removeEventListener('abort', awaken);
        sleepers.delete(awaken);
        resolve();
      };
      sleepers.add(awaken);
      signal?.addEventListener('abort', awaken, { once: true });
    });
  }
}
