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
    version: { pollInterval: 5 * 60_000 }
    // No `csp`: the server sends the policy as a header, with the hash of SvelteKit's inline start script.
  }
};
