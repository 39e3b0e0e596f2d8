import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';

// The server that the development page talks to: the real one, or `npm run mock`.
const server = process.env.SPAKTOK_SERVER ?? 'http://127.0.0.1:8080';
// The server checks the Origin of unsafe requests against its own address: the proxy speaks for the page.
const proxied = { target: server, changeOrigin: true, headers: { origin: server } };

export default defineConfig({
  plugins: [sveltekit()],
  build: {
    // The first of each that know light-dark(): a colour that was rewritten for older ones is fixed at the root, and a part
    // of the page could not have the other theme.
    target: ['chrome123', 'edge123', 'firefox120', 'safari17.5'],
    // What nearly every page needs comes as a few files instead of dozens: over HTTP/1.1 each costs a turn.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'svelte', test: /node_modules[\\/](svelte|@sveltejs|clsx|esm-env|devalue)[\\/]/ },
            { name: 'shared', test: /[\\/]src[\\/](lib|ui)[\\/]/, minShareCount: 4 }
          ]
        }
      }
    }
  },
  server: {
    proxy: {
      '/api/v1/realtime': { ...proxied, ws: true },
      '/api': proxied,
      '/media': proxied,
      '/live': proxied
    }
  },
  preview: {
    proxy: {
      '/api/v1/realtime': { ...proxied, ws: true },
      '/api': proxied,
      '/media': proxied,
      '/live': proxied
    }
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' }
});
