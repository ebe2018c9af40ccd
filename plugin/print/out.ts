import { printable } from '../../admission/api/printable.ts';
import { stderr, stdout, writeAll } from '../../admission/cli/write-all.ts';

/** Writes results. */
export function print(text: string): void {
	writeAll(stdout, text);
}

/** Writes an error, a warning or a note, with its line end. */
export function printError(text: string): void {
	writeAll(stderr, `${text.split('\n').map(printable).join('\n')}\n`);
}

/** Whether lines may be redrawn: only on a terminal that supports it. */
export function isTerminal(): boolean {
	// Not imported: it loads sockets and streams, which most runs never use.
	return process.getBuiltinModule('node:tty').isatty(stdout) && process.env.TERM !== 'dumb';
}
