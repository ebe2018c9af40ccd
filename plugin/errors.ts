/** Exit codes of every verb. A timeout has its own code, so that a script can distinguish "not yet" from "failed". */
export const exitCode = {
	done: 0,
	error: 1,
	/** `--timeout` has passed; recorded deletions stay recorded. */
	timeout: 2,
	/** Ctrl-C: 128 + SIGINT, as shells report it. */
	interrupted: 130,
} as const;

/** An error that is meant for the person at the terminal: `text` is printed to stderr as it is. */
export class CliError extends Error {
	readonly code: number;

	constructor(text: string, code: number = exitCode.error) {
		super(text);
		this.name = 'CliError';
		this.code = code;
	}
}

/** Compares names, because each bundle has its own copy of the class, which `instanceof` does not recognise. */
export function isCliError(error: unknown): error is CliError {
	return error instanceof Error && error.name === 'CliError';
}

/** A mistake in the command line, reported as kubectl does: `error: ...`. */
export function usageError(text: string): CliError {
	return new CliError(`error: ${text}`);
}

/** An error takes at most three lines: more would scroll away what was printed before. */
export function atMostThreeLines(text: string): string {
	const lines = text
		.split('\n')
		.map((line) => line.trimEnd())
		.filter((line) => line !== '');
	if (lines.length <= 3) return lines.join('\n');
	return [...lines.slice(0, 2), `${lines[2]} ...`].join('\n');
}
