// Writes the functions that policies may call, with the types of what they take and give, from the capabilities that OPA
// publishes: node signatures.mjs PATH, where PATH is capabilities.json of the OPA that Gatekeeper is built with.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal, runMain } from '../say.mjs';

const target = join(import.meta.dirname, '../../../review/src/rego/compile/signatures.json');

/** Gatekeeper turns it off (its flag --disable-opa-builtin has this value by default). */
const OFF = ['http.send'];

const oneOf = (types) => (types.length ? { one_of: types.map(typeOf) } : 'any');

function typeOf(type) {
  switch (type.type) {
    case 'any': return oneOf(type.of ?? []);
    case 'set': return { set: typeOf(type.of ?? { type: 'any' }) };
    case 'array': return { array: { first: (type.static ?? []).map(typeOf), rest: type.dynamic ? typeOf(type.dynamic) : null } };
    case 'object': return { object: { fields: Object.fromEntries((type.static ?? []).map(({ key, value }) => [key, typeOf(value)])), rest: type.dynamic ? typeOf(type.dynamic.value) : null } };
    default: return type.type;
  }
}

await runMain(async () => {
  const path = process.argv[2];
  if (!path) throw new Refusal('say where capabilities.json of OPA is.');
  const { builtins } = JSON.parse(readFileSync(path, 'utf8'));
  const lines = builtins
    .filter(({ name }) => !OFF.includes(name))
    .map(({ name, decl }) => `${JSON.stringify(name)}: ${JSON.stringify({ arguments: (decl.args ?? []).map(typeOf), result: typeOf(decl.result ?? { type: 'any' }) })}`);
  writeFileSync(target, `{\n${lines.join(',\n')}\n}\n`);
});
