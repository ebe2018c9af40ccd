import { writeSync } from 'node:fs';

export const stdout = 1;
export const stderr = 2;

/** Writes all of a text to a descriptor. It does not set up process.stdout, which costs a few ms of every start. */
export function writeAll(descriptor: typeof stdout | typeof stderr, text: string): void {
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
