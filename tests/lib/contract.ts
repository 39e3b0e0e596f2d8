// api/openapi.yaml as a judge: every answer of the server is held against it, and what it does not describe fails.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { type AnySchema, Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import add_formats from 'ajv-formats';
import { parse } from 'yaml';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Node = { [name: string]: any };

const file = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../api/openapi.yaml');
export const contract_text = readFileSync(file, 'utf8');
const contract: Node = parse(contract_text);

export interface Operation {
  id: string;
  method: string;
  template: string;
  is_upgrade: boolean;
}

// Clients ignore members that they do not know, but a server that sends one has left its contract.
function close_objects(node: unknown): void {
  if (Array.isArray(node)) return node.forEach(close_objects);
  if (node === null || typeof node !== 'object') return;
  const schema = node as Node;
  if (schema['type'] === 'object' && schema['properties'] && schema['additionalProperties'] === undefined) {
    schema['additionalProperties'] = false;
  }
  Object.values(schema).forEach(close_objects);
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
(add_formats as unknown as (target: Ajv2020) => void)(ajv);
const closed = structuredClone(contract);
close_objects(closed['components']['schemas']);
ajv.addSchema({ $id: 'contract', components: closed['components'] } as AnySchema);

const compiled = new Map<string, ValidateFunction>();
function validator(schema: Node): ValidateFunction {
  const text = JSON.stringify(schema).replaceAll('"#/components/', '"contract#/components/');
  let found = compiled.get(text);
  if (!found) compiled.set(text, (found = ajv.compile(JSON.parse(text) as AnySchema)));
  return found;
}

function resolve(node: Node): Node {
  const reference: string | undefined = node['$ref'];
  if (reference === undefined) return node;
  return resolve(
    reference
      .slice(2)
      .split('/')
      .reduce((at, name) => at[name], contract),
  );
}

const methods = ['get', 'put', 'post', 'patch', 'delete', 'head', 'options'];
const described = Object.entries(contract['paths'] as Node).flatMap(([template, item]) =>
  methods
    .filter((method) => item[method])
    .map((method) => ({ template, method, operation: item[method] as Node, pattern: pattern_of(template) })),
);

export const operations: Operation[] = described.map(({ template, method, operation }) => ({
  id: operation['operationId'],
  method: method.toUpperCase(),
  template,
  is_upgrade: operation['x-upgrade'] !== undefined,
}));

// A parameter is one segment, but for the last of /media/, whose key has slashes.
function pattern_of(template: string): RegExp {
  const source = template
    .replace(/[.]/g, '\\.')
    .replace('{key}', '.+')
    .replace(/\{[a-z_]+\}/g, '[^/]+');
  return new RegExp(`^${source}$`);
}

// A literal segment wins over a parameter, as in the server.
function find(method: string, pathname: string) {
  const matches = described.filter((entry) => entry.method === method.toLowerCase() && entry.pattern.test(pathname));
  const parameters = (template: string) => template.split('{').length;
  return matches.sort((a, b) => parameters(a.template) - parameters(b.template))[0];
}

const general_problems = new Set((contract['info']['description'] as string).match(/\/problems\/[a-z_]+/g));

// Which problems an operation may answer: those of every operation and its own.
function problems_of(operation: Node): Set<string> {
  return new Set([...general_problems, ...((operation['x-problem-types'] as string[] | undefined) ?? [])]);
}

function check_headers(where: string, answer: Node, headers: Headers): void {
  for (const [name, header] of Object.entries((answer['headers'] ?? {}) as Node)) {
    const text = headers.get(name);
    if (text === null) continue;
    const schema = resolve(header)['schema'] as Node;
    const value: Json = schema['type'] === 'integer' ? Number(text) : text;
    const validate = validator(schema);
    if (!validate(value)) throw new Error(`${where}: header ${name}: ${text} ${ajv.errorsText(validate.errors)}`);
  }
}

// Throws where the answer is not one that the contract describes for this request.
export function check_answer(method: string, pathname: string, response: Response, body: Uint8Array): void {
  const text = () => new TextDecoder().decode(body).slice(0, 2_000);
  const entry = find(method, pathname);
  const where = `${method} ${pathname} → ${response.status}`;
  if (!entry) throw new Error(`${where}: the contract has no such operation`);
  const answers = entry.operation['responses'] as Node;
  const given = answers[String(response.status)] ?? (response.status >= 400 ? answers['default'] : undefined);
  if (!given) throw new Error(`${where}: the contract has no such status: ${text()}`);
  const answer = resolve(given);
  check_headers(where, answer, response.headers);
  const contents = (answer['content'] ?? {}) as Node;
  const type = response.headers.get('content-type')?.split(';')[0]?.trim();
  if (Object.keys(contents).length === 0) {
    if (body.byteLength > 0) throw new Error(`${where}: the contract has no body here: ${text()}`);
    return;
  }
  const content = (type && contents[type]) ?? contents['*/*'];
  if (!content) throw new Error(`${where}: the contract has no ${type} here: ${text()}`);
  if (!type?.endsWith('json')) return;
  const value = JSON.parse(new TextDecoder().decode(body)) as Node;
  const validate = validator(content['schema']);
  if (!validate(value)) throw new Error(`${where}: ${ajv.errorsText(validate.errors, { separator: '\n' })}\n${text()}`);
  if (type === 'application/problem+json') {
    if (value['status'] !== response.status) throw new Error(`${where}: the problem says ${value['status']}`);
    if (!problems_of(entry.operation).has(value['type'])) {
      throw new Error(`${where}: the contract does not name ${value['type']} for ${entry.operation['operationId']}`);
    }
  }
}

// Whether a value is one of the contract's schemas: chat messages and streams come over the WebSocket as well.
export function check_schema(name: string, value: unknown): void {
  const validate = validator({ $ref: `#/components/schemas/${name}` });
  if (!validate(value)) {
    throw new Error(`not a ${name}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value).slice(0, 2_000)}`);
  }
}
