// Drafts and submissions of the demo: some applied, some waiting for a second person, some sent back.

import { done, hidden } from './forms.mjs';

/** Begins a draft with the wizard's answers; gives its address. */
export async function draft(person, namespace, answers, { sources = {}, destinations = { dns: 'yes' } } = {}) {
  const address = (await done(person.post('/workloads/new', { namespace }))).replace(/\/workload$/, '');
  const post = async (step, form) => done(person.post(`${address}/${step}`, { ...form, version: hidden((await person.get(`${address}/${step}`)).body, 'version') }));
  await post('workload', { namespace, kind: 'deployment', replicas: '2', command: '', ports: '8080', ...answers });
  await post('sources', sources);
  await post('destinations', destinations);
  await post('resources', { cpu: '100', memory: '128', run_as_user: '10001', read_only_root: 'yes' });
  return address;
}

/** Sends a draft for review; gives the address of the submission. */
async function submit(person, address) {
  const digest = hidden((await person.get(`${address}/review`)).body, 'digest');
  return done(person.post(`${address}/submit`, { digest }));
}

async function review(person, submission, verb, form) {
  const page = (await person.get(submission)).body;
  return done(person.post(`${submission}/${verb}`, { digest: hidden(page, 'digest'), after: hidden(page, 'after'), ...form }));
}

const apply = (person, submission) => done(person.post(`${submission}/apply`, {}));

/** Nothing asks for a second person, so submitting applies it. */
const giftCards = async (dana, version) => submit(dana, await draft(dana, 'shop', { name: 'gift-cards', image: `harbor.example.com/shop/gift-cards:${version}` }));

export const firstGiftCards = ({ dana }) => giftCards(dana, '1.0.0');
export const nextGiftCards = ({ dana }) => giftCards(dana, '1.1.0');

/** From another registry: a second person asked, approved, and it runs. */
export async function reviewedByAnother({ devin, lee }) {
  const submission = await submit(devin, await draft(devin, 'shop', { name: 'price-import', image: 'registry.partner.example/prices:3.2.0' }));
  await review(lee, submission, 'comment', { line: '3', body: 'Which team maintains this image?' });
  await review(lee, submission, 'approve', { comment: 'Mirrored by us from next week.' });
  await apply(devin, submission);
}

export async function sentBack({ dana, lee }) {
  const submission = await submit(dana, await draft(dana, 'shop', { name: 'newsletter', image: 'docker.io/library/newsletter:0.9.1' }));
  await review(lee, submission, 'request-changes', { comment: 'Use our own registry: harbor.example.com/shop.' });
}

/** Submissions that wait for a second person, and drafts that are not finished. */
export async function waiting({ dana, devin, pia }) {
  await submit(dana, await draft(dana, 'shop', { name: 'wishlist', image: 'docker.io/library/wishlist:2.1.0' }));
  await submit(pia, await draft(pia, 'pay', { name: 'refunds', image: 'docker.io/library/refunds:1.0.0' }));
  await draft(devin, 'shop', { name: 'loyalty', image: 'harbor.example.com/shop/loyalty:0.3.0' });
  await done(pia.post('/workloads/new', { namespace: 'pay' }));
}
