import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: vitePreprocess(),
  kit: {
    // One page for every path: the server answers 200.html wherever no file and no API route is.
    adapter: adapter({ fallback: '200.html', precompress: true, strict: false }),
    alias: { $ui: 'src/ui', $features: 'src/features', $frame: 'src/frame' },
    // A new release of the server carries a new page: an open tab notices and loads the whole document at the next link.
    version: { pollInterval: 5 * 60_000 },
    // The hash of SvelteKit's inline start script stands in the document itself, so that no other inline script can run.
    csp: {
      mode: 'hash',
      directives: {
        'default-src': ['self'],
        'script-src': ['self'],
        'style-src': ['self', 'unsafe-inline'],
        'img-src': ['self', 'blob:', 'data:'],
        'media-src': ['self', 'blob:'],
        'connect-src': ['self', 'ws:', 'wss:'],
        'worker-src': ['self', 'blob:'],
        'object-src': ['none'],
        'base-uri': ['none']
      }
    }
  }
};
