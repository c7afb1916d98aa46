import { defineConfig } from 'vite';

// Three files with fixed names, which the binary embeds. Relative addresses: the page may be behind a prefix.
export default defineConfig({
  base: './',
  root: 'source',
  build: {
    outDir: '../built',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    rollupOptions: {
      output: {
        entryFileNames: 'page.js',
        assetFileNames: 'page[extname]',
      },
    },
  },
});
