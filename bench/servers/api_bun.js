// bun with bun:sqlite. Arguments: port, database file, instance (JSON).
import { Database } from 'bun:sqlite';

import { answers } from './api_answers.js';

const database = new Database(process.argv[3], { readonly: true });
const { instance, streams, profile } = answers(database, JSON.parse(process.argv[4]));

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  routes: {
    '/api/v1/instance': () => Response.json(instance()),
    '/api/v1/streams': () => Response.json(streams()),
    '/api/v1/users/:username': (request) => {
      const found = profile(request.params.username);
      return found ? Response.json(found) : new Response('no such user', { status: 404 });
    },
  },
});
