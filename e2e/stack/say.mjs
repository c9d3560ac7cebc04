// What the stack tells the person who started it, and how it gives up.

/** Prints one line of progress, so that a long wait is never a silent one. */
export function say(line) {
  process.stderr.write(`fairway: ${line}\n`);
}

/** An error that a person can act on: shown as a sentence, without a stack trace. */
export class Refusal extends Error {}

/** Runs `main`, turning a `Refusal` into its sentence and exit code 1. */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    say(error instanceof Refusal ? error.message : `unexpected failure: ${error.stack}`);
    process.exitCode = 1;
  }
  // Whatever still runs, such as a build for a part that is not wanted any more, ends with this process.
  process.exit();
}
