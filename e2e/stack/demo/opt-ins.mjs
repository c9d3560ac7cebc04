// Opt-ins of the demo, one in each state that people meet.

import { done, hidden } from './forms.mjs';

/** Accepts the risks of a feature; gives the id of the acceptance. */
export async function accept(person, feature, { scope = 'namespace/shop', why }) {
  const path = `/preview-features/${feature}`;
  const page = (await person.get(path)).body;
  const points = [...page.matchAll(/name="points" value="(\d+)"/g)].map(([, value]) => value);
  const form = [['scope', scope], ...points.map((point) => ['points', point]), ['justification', why], ['digest', hidden(page, 'digest')]];
  const shown = await person.post(path, form);
  const location = await done(person.post(`${path}/accept`, [...form, ['shown', hidden(shown.body, 'shown')]]));
  return location.split('?')[0].split('/').at(-1);
}

const decide = (person, id, decision, comment = '') => done(person.post(`/admin/approvals/${decision}`, { acceptance: id, comment }));
const act = (person, id, verb, comment = '') => person.post(`/preview-features/acceptances/${id}/${verb}`, { comment });

/** The feature that an administrator enables by hand. */
export const MANUAL = 'custom-resource-definitions';

/** By a label, by a role that two administrators approved, and by hand. */
export async function effective({ dana, lee, ada, gus }) {
  await decide(ada, await accept(dana, 'snippet-annotations', { why: 'The storefront needs a rewrite that the ingress does not offer.' }), 'approve', 'Reviewed the snippet with the team.');
  const endpoints = await accept(lee, 'endpoints', { scope: 'team/shop', why: 'The old stock database is outside of the cluster.' });
  await decide(ada, endpoints, 'approve');
  await decide(gus, endpoints, 'approve', 'Until the database has moved.');
  const definitions = await accept(lee, MANUAL, { scope: 'namespace/shop-staging', why: 'The search operator brings its own kinds.' });
  await decide(gus, definitions, 'approve');
  await done(act(gus, definitions, 'confirm-effect'));
  return definitions;
}

/** What expired is taken back by the administrator who enabled it. */
export const takenBack = ({ gus }, id) => done(act(gus, id, 'confirm-removal'));

export async function refusedAndWithdrawn({ devin, pia, gus }) {
  await decide(gus, await accept(pia, MANUAL, { scope: 'namespace/pay', why: 'Trying a new operator.' }), 'refuse', 'Use the sandbox cluster for trials.');
  await done(act(devin, await accept(devin, 'snippet-annotations', { scope: 'namespace/shop-staging', why: 'A trial before the sale.' }), 'withdraw'));
}

export async function revoked({ devin, ada }) {
  const id = await accept(devin, 'snippet-annotations', { scope: 'namespace/shop-experiments', why: 'Load tests.' });
  await decide(ada, id, 'approve');
  await done(act(ada, id, 'revoke', 'The load tests are over.'));
}

/** For the first decision, for the second of two, and for an administrator's hands. */
export async function waiting({ dana, pia, ada, gus }) {
  await accept(pia, 'snippet-annotations', { scope: 'namespace/pay', why: 'Custom error pages of the payment form.' });
  await decide(ada, await accept(pia, 'endpoints', { scope: 'namespace/pay', why: 'The bank reaches us by a fixed address.' }), 'approve');
  await decide(gus, await accept(dana, MANUAL, { why: 'The search operator brings its own kinds.' }), 'approve');
}
