export interface NginxOptions {
  folder: string; // its configuration, logs and cache
  http: string; // host:port to listen at
  rtmp: string;
  nodes: { http: string; rtmp: string }[]; // host:port
  tls?: { https: string; rtmps: string; folder: string }; // with fullchain.pem and privkey.pem in the folder
}

// deploy/nginx/spaktok.conf with these addresses.
export function nginx_config(options: NginxOptions): string;
// Returns the file's path. Throws where nginx does not accept it.
export function write_nginx_config(options: NginxOptions): string;
export function start_nginx(options: NginxOptions): Promise<{ pid: number; stop(): Promise<void> }>;
