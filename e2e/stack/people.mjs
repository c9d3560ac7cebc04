// The demo people. The provider knows them by these subjects; the cluster by e-mail and groups.

const person = (subject, name, groups, says) => ({ subject, name, email: `${subject}@example.com`, groups, says });

export const people = [
  person('dana', 'Dana Developer', ['team-shop'], 'application developer in the team shop'),
  person('devin', 'Devin Developer', ['team-shop'], 'a second developer in the same team'),
  person('lee', 'Lee Lead', ['team-shop', 'team-shop-leads'], 'team lead of shop'),
  person('pia', 'Pia Payments', ['team-pay'], 'developer in the team pay'),
  person('ada', 'Ada Administrator', ['platform-admins'], 'platform administrator'),
  person('gus', 'Gus Guardian', ['platform-admins'], 'a second platform administrator'),
  person('alex', 'Alex Auditor', ['auditors'], 'auditor'),
  person('nico', 'Nico Newcomer', [], 'newcomer without groups'),
];
