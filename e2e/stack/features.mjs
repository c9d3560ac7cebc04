// Demo preview features, as an administrator would have published them.

const features = [
  {
    slug: 'snippet-annotations',
    name: 'Snippet annotations on ingresses',
    purpose: 'Write your own configuration of the ingress controller, for rewrites it does not offer.',
    body: 'A snippet becomes part of the configuration that **all teams share**.\n\n- A mistake in it may stop the ingress controller for everyone.\n- The open-source project has announced that snippets may be removed.\n- What you write is not checked by the platform.',
    points: ['There is no other way to do what we need.', 'We understand that a mistake may cause downtime, for us and for others.', 'We understand that the feature may be withdrawn.'],
  },
  {
    slug: 'custom-resource-definitions',
    name: 'Your own custom resource definitions',
    purpose: 'Install operators that bring their own kinds of objects.',
    body: 'Definitions hold for the **whole cluster** and are not limited to your namespace.\n\n- Deleting a definition deletes every object of its kind, and with it data.\n- Upgrades of the cluster may need your operator to be upgraded first.',
    points: ['We keep up with upgrades of the operator.', 'We understand that data may be lost.', 'We understand that the feature may be withdrawn.'],
  },
];

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

export function seedFeatures({ psql }) {
  for (const { slug, name, purpose, body, points } of features) {
    const list = `array[${points.map(quoted).join(', ')}]`;
    psql(`insert into preview_features (slug, name, purpose) values (${[slug, name, purpose].map(quoted).join(', ')}) on conflict do nothing`);
    psql(`insert into risk_statements (feature_slug, version, body, points, digest)
      values (${quoted(slug)}, 1, ${quoted(body)}, ${list}, sha256(convert_to(${quoted(body)} || E'\\n' || array_to_string(${list}, E'\\n'), 'UTF8'))) on conflict do nothing`);
  }
}
