// Fastify with better-sqlite3. Arguments: port, database file, instance (JSON).
import Database from 'better-sqlite3';
import Fastify from 'fastify';

import { answers } from './api_answers.js';

const database = new Database(process.argv[3], { readonly: true });
const { instance, streams, profile } = answers(database, JSON.parse(process.argv[4]));
const server = Fastify();
server.get('/api/v1/instance', () => instance());
server.get('/api/v1/streams', () => streams());
server.get('/api/v1/users/:username', (request, reply) => profile(request.params.username) ?? reply.code(404).send('no such user'));
await server.listen({ host: '127.0.0.1', port: Number(process.argv[2]) });
