/** Makes something once, when it is first asked for; a failure is not kept. */
export function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    if (made === undefined) {
      const current = make();
      made = current;
      current.catch(() => {
        if (made === current) made = undefined;
      });
    }
    return made;
  };
}
