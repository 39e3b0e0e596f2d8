// A page that lives in the browser: the server answers the same document for every path.
export const ssr = false;
export const prerender = false;
