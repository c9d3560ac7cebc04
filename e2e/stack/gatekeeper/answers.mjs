// Asks Gatekeeper (`gator test`) about every policy of review/testdata/rego/policies.jsonl and writes what it says
// beside each: node answers.mjs. Tests compare the review engine with these answers, so that they need no Go. With
// GATEKEEPER_LIBRARY=PATH, a checkout of the public library, it writes the answers for its samples to
// target/gatekeeper-library.jsonl, for `make test CHECK=library`.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { parse, parseDocument } from 'yaml';
import { runMain, say } from '../say.mjs';
import { gatekeeper } from '../tools/programs.mjs';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'review/testdata/rego');
const AT_ONCE = 4;
const CLUSTER_SCOPED = ['Namespace', 'ClusterRole', 'ClusterRoleBinding', 'StorageClass', 'ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration', 'Node', 'PersistentVolume', 'CustomResourceDefinition', 'AdmissionReview'];

/** A policy as it is kept: an expression whose value is the message, or a whole module after "rego:". */
const moduleOf = (policy) => (policy.startsWith('rego:') ? policy.slice(5).trim() : `package p\nviolation[{"msg": msg}] { x := (${policy}); msg := sprintf("%v", [x]) }`);

const template = (policy) => ({
  apiVersion: 'templates.gatekeeper.sh/v1', kind: 'ConstraintTemplate', metadata: { name: 'policy' },
  spec: {
    crd: { spec: { names: { kind: 'Policy' }, validation: { openAPIV3Schema: { type: 'object', properties: { list: { type: 'array', items: { type: 'string' } }, num: { type: 'integer' }, o: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } } } } },
    targets: [{ target: 'admission.k8s.gatekeeper.sh', rego: moduleOf(policy) }],
  },
});

const constraint = {
  apiVersion: 'constraints.gatekeeper.sh/v1beta1', kind: 'Policy', metadata: { name: 'policy' },
  spec: { match: { kinds: [{ apiGroups: ['apps'], kinds: ['Deployment'] }] }, parameters: { list: ['a', 'b'], num: 3, o: { a: 1, b: [1, 2], c: { d: 'e' } } } },
};

/** Of all the objects, violations of this one; of any, where none is named. */
async function gator(program, objects, judged) {
  const place = mkdtempSync(join(tmpdir(), 'fairway-gator-'));
  try {
    const files = objects.map((object, index) => {
      const file = join(place, `${index}.yaml`);
      writeFileSync(file, typeof object === 'string' ? object : JSON.stringify(object));
      return `-f=${file}`;
    });
    const child = spawn(program, ['test', '-o', 'json', ...files], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
    // Exit code 1 with a list of results is a denial; without, something was not accepted.
    if (!/^\s*(\[|null)/.test(out)) return { gatekeeper: 'refused', because: error.trim().slice(-160) };
    const isJudged = ({ violatingObject: found }) => !judged || (found.kind === judged.kind && found.metadata.name === judged.metadata.name && found.metadata.namespace === judged.metadata.namespace);
    const messages = (JSON.parse(out) ?? []).filter(isJudged).map(({ msg }) => msg ?? '').sort();
    return messages.length ? { gatekeeper: 'says', messages } : { gatekeeper: 'none' };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

async function inTurns(items, work) {
  const results = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await work(items[index]);
      if ((index + 1) % 100 === 0) say(`${index + 1} of ${items.length} policies`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/** Gatekeeper would evaluate CEL where a template has that beside Rego. */
function withoutCel(text) {
  const document = parseDocument(text);
  // One has a text that this reader does not take, and no CEL.
  if (document.errors.length) return text;
  const template = document.toJS();
  for (const target of template.spec.targets) target.code = target.code?.filter(({ engine }) => engine === 'Rego');
  return JSON.stringify(template);
}

/** In a namespace, where it is of a kind that stands in one: constraints match by it. */
function placed(text) {
  const object = parse(text);
  if (!CLUSTER_SCOPED.includes(object.kind)) object.metadata.namespace ??= 'default';
  return JSON.stringify(object);
}

/** Templates with their samples: a constraint, and objects that it allows and refuses. */
function samples(library) {
  const found = [];
  for (const suite of readdirSync(join(library, 'library'), { recursive: true }).filter((path) => path.endsWith('suite.yaml'))) {
    const place = join(library, 'library', suite, '..');
    const read = (file) => readFileSync(join(place, file), 'utf8');
    for (const test of parse(read('suite.yaml')).tests ?? []) {
      for (const one of test.cases ?? []) found.push({ name: `${relative(join(library, 'library'), place)} ${test.name} ${one.name}`, template: withoutCel(read(test.template)), constraint: read(test.constraint), object: placed(read(one.object)), inventory: (one.inventory ?? []).map(read) });
    }
  }
  return found;
}

await runMain(async () => {
  const program = join(await gatekeeper(), 'gator');
  const library = process.env.GATEKEEPER_LIBRARY;
  if (library) {
    const cases = samples(library);
    const answers = await inTurns(cases, ({ template, constraint, object, inventory }) => gator(program, [template, constraint, object, ...inventory], parse(object)));
    mkdirSync(join(root, 'target'), { recursive: true });
    writeFileSync(join(root, 'target/gatekeeper-library.jsonl'), cases.map((one, index) => `${JSON.stringify({ ...one, ...answers[index] })}\n`).join(''));
    return say(`${cases.length} samples of the library asked`);
  }
  const file = join(folder, 'policies.jsonl');
  const policies = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line).policy);
  const input = readFileSync(join(folder, 'input.yaml'), 'utf8');
  const answers = await inTurns(policies, (policy) => gator(program, [template(policy), constraint, input]));
  writeFileSync(file, policies.map((policy, index) => `${JSON.stringify({ policy, ...answers[index] })}\n`).join(''));
  say(`${policies.length} policies asked`);
});
