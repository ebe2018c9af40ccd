import { writeSync } from 'node:fs';
import { printable } from '../../admission/api/printable.ts';

const stdout = 1;
const stderr = 2;

/** Writes results. Goes to the descriptor itself: setting up process.stdout costs a few ms of every start. */
export function print(text: string): void {
	writeAll(stdout, text);
}

/** Writes an error, a warning or a note, with its line end. */
export function printError(text: string): void {
	writeAll(stderr, `${text.split('\n').map(printable).join('\n')}\n`);
}

/** May we redraw? Only on a terminal that can. */
export function isTerminal(): boolean {
	// Not imported: it loads sockets and streams, which most runs that only print never use.
	return process.getBuiltinModule('node:tty').isatty(stdout) && process.env.TERM !== 'dumb';
}

function writeAll(descriptor: number, text: string): void {
	let rest = Buffer.from(text);
	while (rest.length > 0) {
		try {
			rest = rest.subarray(writeSync(descriptor, rest));
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			// The reader of the pipe has gone (`| head -1`): nobody is left who could read a message.
			if (code === 'EPIPE') process.exit(descriptor === stdout ? 0 : 1);
			if (code !== 'EAGAIN') throw error;
			// The pipe is full, and another process that shares it has made it non-blocking.
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
		}
	}
}
