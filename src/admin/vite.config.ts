import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Relative base: the page works below any context path and behind any proxy.
export default defineConfig({
  base: './',
  plugins: [react()],
  build: { outDir: 'dist', emptyOutDir: true, chunkSizeWarningLimit: 1500 },
  server: { proxy: { '/geoserver': 'http://127.0.0.1:8080' } },
});
