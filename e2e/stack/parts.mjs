// Which parts a stack has. `PARTS=minimal` leaves out what is not needed to sign in and look around.

import { Refusal } from './say.mjs';

const full = { dex: true, mailbox: true, hnc: true, gatekeeper: true, nodes: true, demo: false, tokens: false, identity: 'impersonation' };
const minimal = { ...full, dex: false, mailbox: false, hnc: false, gatekeeper: false, nodes: false };

/**
 * The parts by name. `demo` fills the stack with teams at work; `tokens` lets the API server accept the provider's
 * ID tokens, for which Dex serves https; `identity` says in whose name the portal acts, and with `token` its account may act
 * as nobody.
 */
export function chosenParts(defaults = {}) {
  const name = process.env.PARTS ?? 'full';
  if (name !== 'full' && name !== 'minimal') throw new Refusal(`PARTS is ${name}; it may be full or minimal.`);
  if (name === 'minimal') return { ...minimal };
  return { ...full, ...defaults };
}

/** All parts, with some changed: for stacks that a test starts. */
export const partsWith = (changes) => ({ ...full, ...changes });
