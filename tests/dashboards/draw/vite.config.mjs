import { defineConfig } from 'vite';

export default defineConfig({
  build: { outDir: 'built', target: 'esnext', chunkSizeWarningLimit: 20000, minify: false },
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warn',
});
