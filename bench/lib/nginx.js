// Debian's nginx with a configuration, a directory and ports of its own: one worker, nothing of the system's service.
import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { start, temporary_directory } from './processes.js';

// http, rtmp: the blocks' contents. Returns the process.
export function start_nginx({ modules = [], http = '', rtmp = '', directory = temporary_directory() }) {
  const configuration = path.join(directory, 'nginx.conf');
  writeFileSync(configuration, `
${modules.map((module) => `load_module /usr/lib/nginx/modules/${module};`).join('\n')}
user root;
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid ${directory}/nginx.pid;
error_log stderr error;
events { worker_connections 19000; }
${http && `http {
  access_log off;
  client_body_temp_path ${directory}; proxy_temp_path ${directory}; fastcgi_temp_path ${directory};
  uwsgi_temp_path ${directory}; scgi_temp_path ${directory};
  include /etc/nginx/mime.types;
  ${http}
}`}
${rtmp && `rtmp { ${rtmp} }`}
`);
  return start('/usr/sbin/nginx', ['-e', 'stderr', '-p', directory, '-c', configuration]);
}
