import path from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const page = (name: string) => path.resolve(import.meta.dirname, name);

// Relative base: the pages work below any context path and behind any proxy.
export default defineConfig({
  base: './',
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    chunkSizeWarningLimit: 1500,
    // The page of a node, and the console of a broker.
    rollupOptions: { input: [page('index.html'), page('broker.html')] },
  },
  server: { proxy: { '/geoserver': 'http://127.0.0.1:8080', '/rest': 'http://127.0.0.1:7070' } },
});
