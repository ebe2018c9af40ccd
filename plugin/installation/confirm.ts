import { createInterface } from 'node:readline/promises';
import { isatty } from 'node:tty';
import { usageError } from '../errors.ts';

/** Asks at the terminal. Throws if there is none: scripts use --yes. */
export async function confirmed(namespace: string): Promise<boolean> {
	if (!isatty(0)) throw usageError('uninstall asks for confirmation, but stdin is not a terminal: use --yes');
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
