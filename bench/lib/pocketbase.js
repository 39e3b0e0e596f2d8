// PocketBase's examples/base, with a collection of streams whose rules let everyone list and create, on one thread of Go code.
import path from 'node:path';

import { free_port, listening, peers, process_tree, start, temporary_directory } from './processes.js';

const email = 'bench@example.org';
const password = 'a long pass phrase for a benchmark';

export async function start_pocketbase() {
  const program = path.join(peers, 'bin/pocketbase');
  const directory = `--dir=${path.join(temporary_directory(), 'pb_data')}`;
  const made = start(program, ['superuser', 'upsert', email, password, directory]);
  if (await made.ended) throw new Error(made.said);
  const port = await free_port();
  const child = start(program, ['serve', `--http=127.0.0.1:${port}`, directory], { env: { GOMAXPROCS: '1' } });
  await listening(child, port);

  const call = async (route, body, token) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api${route}`, {
      method: 'POST', headers: { 'content-type': 'application/json', ...(token && { authorization: token }) }, body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`PocketBase: ${route}: ${answer.status} ${await answer.text()}`);
    return await answer.json();
  };
  const { token } = await call('/collections/_superusers/auth-with-password', { identity: email, password });
  const text = (name) => ({ name, type: 'text', max: 5000 });
  await call('/collections', {
    name: 'streams', type: 'base', listRule: '', viewRule: '', createRule: '',
    fields: [text('title'), text('description'), text('status'), text('username'), text('display_name'), text('playback_url'),
      { name: 'started_at', type: 'date' }, { name: 'scheduled_for', type: 'date' }, { name: 'viewers_count', type: 'number' },
      { name: 'created', type: 'autodate', onCreate: true }, { name: 'updated', type: 'autodate', onCreate: true, onUpdate: true }],
    indexes: ['CREATE INDEX idx_streams_status ON streams (status, id)'],
  }, token);
  for (let i = 0; i < 20; i++) {
    await call('/collections/streams/records', {
      title: `Stream ${i}`, description: '', status: 'live', username: `person_${i}`, display_name: `person_${i}`,
      playback_url: '/live/01a205cc-f0ce-79ad-a40d-098b1caa8b32/master.m3u8', started_at: new Date().toISOString(), viewers_count: i,
    });
  }
  return {
    child, port, processes: process_tree(child.pid),
    list: '/api/collections/streams/records?perPage=20&skipTotal=1',
    create: '/api/collections/streams/records',
  };
}
