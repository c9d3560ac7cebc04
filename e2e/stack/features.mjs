// Demo preview features, as an administrator publishes them.

import { Refusal } from './say.mjs';
import { signedIn } from './sign-in.mjs';

const features = [
  {
    slug: 'snippet-annotations',
    name: 'Snippet annotations on ingresses',
    purpose: 'Write your own configuration of the ingress controller, for rewrites it does not offer.',
    body: 'A snippet becomes part of the configuration that **all teams share**.\n\n- A mistake in it may stop the ingress controller for everyone.\n- The open-source project has announced that snippets may be removed.\n- What you write is not checked by the platform.',
    points: ['There is no other way to do what we need.', 'We understand that a mistake may cause downtime, for us and for others.', 'We understand that the feature may be withdrawn.'],
    scopes: ['namespace', 'team'], approvals: 1, effect: { metadata: { labels: { 'preview.fairway.dev/snippets': 'allowed' } } },
  },
  {
    slug: 'custom-resource-definitions',
    name: 'Your own custom resource definitions',
    purpose: 'Install operators that bring their own kinds of objects.',
    body: 'Definitions hold for the **whole cluster** and are not limited to your namespace.\n\n- Deleting a definition deletes every object of its kind, and with it data.\n- Upgrades of the cluster may need your operator to be upgraded first.',
    points: ['We keep up with upgrades of the operator.', 'We understand that data may be lost.', 'We understand that the feature may be withdrawn.'],
    scopes: ['namespace'], approvals: 1, validity_months: 3, effect: 'manual',
  },
  {
    slug: 'endpoints',
    name: 'Write access to Endpoints',
    purpose: 'Point a Service at addresses that no pod has, such as a database outside of the cluster.',
    body: 'Whoever writes Endpoints decides where traffic of a Service goes, past every NetworkPolicy of the pods behind it (**CVE-2021-25740**).\n\n- A wrong address sends data to the wrong place.\n- Kubernetes may take this away from ordinary roles for good.',
    points: ['There is no other way to do what we need.', 'We check every address before we write it.', 'We understand that the feature may be withdrawn.'],
    scopes: ['namespace', 'team', 'environment'], approvals: 2, effect: { role_binding: { cluster_role: 'preview-endpoints' } },
  },
];

/** Publishes them through the portal, so that the record shows who did. */
export async function publishFeatures(portal, authority) {
  const administrator = await signedIn(portal, 'ada', authority);
  const entries = features.map((feature) => ({ validity_months: 12, ...feature, owner: 'platform-team@example.com', stage: 'preview' }));
  // JSON is YAML.
  const answer = await administrator.post('/admin/features', { catalogue: JSON.stringify(entries) });
  if (answer.status !== 303) throw new Refusal(`the demo features could not be published: the portal answered ${answer.status}.`);
  await administrator.post('/sign-out', {});
}
