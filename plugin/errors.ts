/** Exit codes of every verb. A timeout has its own code, so that a script can tell "not yet" from "went wrong". */
export const exitCode = {
	done: 0,
	error: 1,
	/** `--timeout` passed; what was recorded stays recorded. */
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

/** By name: each bundle has a class of its own, which `instanceof` takes for strangers. */
export function isCliError(error: unknown): error is CliError {
	return error instanceof Error && error.name === 'CliError';
}

/** A mistake in the command line, in kubectl's words: `error: ...`. */
export function usageError(text: string): CliError {
	return new CliError(`error: ${text}`);
}

/** The three lines an error may take; the rest would scroll away what matters. */
export function atMostThreeLines(text: string): string {
	const lines = text
		.split('\n')
		.map((line) => line.trimEnd())
		.filter((line) => line !== '');
	if (lines.length <= 3) return lines.join('\n');
	return [...lines.slice(0, 2), `${lines[2]} ...`].join('\n');
}
