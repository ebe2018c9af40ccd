import { createInterface } from 'node:readline/promises';
import { isatty } from 'node:tty';
import { usageError } from '../errors.ts';

/** Asks the person at the terminal. Throws if there is no terminal: a script gives --yes. */
export async function confirmed(namespace: string): Promise<boolean> {
	if (!isatty(0))
		throw usageError(
			'uninstall asks before it removes anything, and there is no terminal to ask at: give --yes',
		);
	const terminal = createInterface({ input: process.stdin, output: process.stderr });
	try {
		const answer = await terminal.question(
			`Remove the guard (namespace ${namespace})? After that, deleting a runner kills its job. [y/N] `,
		);
		return /^y(es)?$/i.test(answer.trim());
	} finally {
		terminal.close();
	}
}
