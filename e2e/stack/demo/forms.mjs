// What the portal's forms answer, and what their pages hold.

/** A form that was taken answers with where to go next; anything else is a fault of the demo. */
export async function done(answer) {
  const { status, location, body } = await answer;
  if (status === 303) return location;
  const errors = [...body.matchAll(/<li><a href="#[^"]*">([^<]*)/g)].map(([, text]) => text);
  throw new Error(`the portal did not take a form of the demo: ${status} ${errors.join(' ')}`);
}

/** The value of a hidden field of a page. */
export function hidden(page, name) {
  const found = new RegExp(`name="${name}" value="([^"]*)"`).exec(page);
  if (!found) throw new Error(`the page has no hidden field ${name}`);
  return found[1];
}
