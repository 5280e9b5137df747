import { useCallback, useSyncExternalStore } from 'react';

/** What stands behind `#` in the page's address, decoded; each one that is set can be gone back from. */
export function useHash(): readonly [hash: string, setHash: (hash: string) => void] {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  const setHash = useCallback((next: string) => {
    window.location.hash = encodeURIComponent(next);
  }, []);
  return [decoded(hash.slice(1)), setHash];
}

function subscribe(changed: () => void): () => void {
  window.addEventListener('hashchange', changed);
  return () => window.removeEventListener('hashchange', changed);
}

/** People write addresses by hand. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
